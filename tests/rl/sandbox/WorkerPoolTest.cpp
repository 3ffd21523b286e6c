// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Workers of a pool: fresh, apart, and replaced whatever happens to one.
#include "rl/sandbox/WorkerPool.h"
#include "tests/rl/sandbox/Fixture.h"
#include <csignal>
#include <cstring>
#include <gmock/gmock.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

class Pool : public testing::TestWithParam<Walls> {
protected:
  static std::string answer(SandboxedProcess worker, const std::string &request) {
    if (const std::optional<WorkerFailure> failure = worker.send(request))
      return failure->message + worker.text();
    const Reply reply = worker.receive(10);
    return reply ? *reply : std::string(nameOf(reply.failure.reason)) + ' ' + worker.text();
  }
};

TEST_P(Pool, EachWorkerIsFresh) {
  Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(
      pythonWorker("seen = []\nwhile True: seen.append(receive()); reply(b','.join(seen))", GetParam()), 3);
  ASSERT_OK(pool);
  for (int i = 0; i < 10; ++i) {
    Result<SandboxedProcess> worker = (*pool)->take();
    ASSERT_OK(worker);
    const std::string text = std::to_string(i);
    ASSERT_FALSE(worker->send(text));
    const Reply first = worker->receive(10);
    ASSERT_TRUE(first) << first.failure.message << worker->text();
    EXPECT_EQ(*first, text);
    ASSERT_FALSE(worker->send("again"));
    const Reply second = worker->receive(10);
    ASSERT_TRUE(second) << second.failure.message << worker->text();
    EXPECT_EQ(*second, text + ",again");
  }
}

TEST_P(Pool, OneWorkersEndIsNotAnothers) {
  Result<std::unique_ptr<WorkerPool>> pool =
      WorkerPool::create(pythonWorker("code = receive().decode()\nexec(code)", GetParam()), 2);
  ASSERT_OK(pool);
  Result<SandboxedProcess> bystander = (*pool)->take();
  ASSERT_OK(bystander);
  const std::pair<const char *, const char *> cases[] = {
      {"os.abort()", "crashed "},
      {"os.fork()", "forbidden \nmaskjit-sandbox: forbidden system call 56\n"},
      {"os.kill(1, 9)", "forbidden \nmaskjit-sandbox: forbidden system call 62\n"},
      {"os.kill(-1, 9)", "forbidden \nmaskjit-sandbox: forbidden system call 62\n"},
      {"os.close(4)\nwhile True: pass", "closed "},
      {"reply(b'fine')", "fine"},
  };
  for (const auto &[code, end] : cases) {
    Result<SandboxedProcess> worker = (*pool)->take();
    ASSERT_OK(worker);
    EXPECT_EQ(answer(std::move(*worker), code), end) << code;
  }
  EXPECT_EQ(answer(std::move(*bystander), "reply(b'untouched')"), "untouched");
}

TEST_P(Pool, SharedMemoryIsOfOneWorker) {
  SandboxOptions options = pythonWorker("import mmap\nreceive()\n"
                                        "memory = mmap.mmap(5, 4096)\n"
                                        "reply(memory[:4])\nmemory[:4] = b'mine'\nreceive()",
                                        GetParam());
  options.sharedBytes = 4096;
  for (bool forked : {false, true}) {
    options.mapsAfterFirstRequest = forked;
    Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(options, 1);
    ASSERT_OK(pool);
    Result<SandboxedProcess> worker = (*pool)->take();
    ASSERT_OK(worker);
    std::memcpy(worker->shared(), "from", 4);
    ASSERT_FALSE(worker->send("go"));
    const Reply reply = worker->receive(10);
    ASSERT_TRUE(reply) << reply.failure.message << worker->text();
    EXPECT_EQ(*reply, "from");
  }
}

TEST_P(Pool, SurvivesTheEndOfItsZygote) {
  Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(pythonWorker("reply(receive())", GetParam()), 1);
  ASSERT_OK(pool);
  const std::vector<int> supervisors = childrenOf(getpid());
  ASSERT_EQ(supervisors.size(), 1u);
  std::vector<int> zygotes;
  while (zygotes.empty())
    zygotes = childrenOf(supervisors[0]);
  kill(zygotes[0], SIGKILL);
  while (!childrenOf(supervisors[0]).empty()) // until the supervisor has reaped it
    usleep(1000);
  Result<SandboxedProcess> orphan = (*pool)->take();
  ASSERT_OK(orphan);
  EXPECT_EQ(orphan->send("x")->reason, WorkerEnd::NotStarted);
  Result<SandboxedProcess> worker = (*pool)->take();
  ASSERT_OK(worker);
  EXPECT_EQ(answer(std::move(*worker), "hello"), "hello");
}

TEST_P(Pool, LeavesNothing) {
  for (int i = 0; i < 2; ++i) {
    Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(pythonWorker("reply(receive())", GetParam()), 3);
    ASSERT_OK(pool);
    EXPECT_FALSE(childrenOf(getpid()).empty());
    Result<SandboxedProcess> worker = (*pool)->take();
    ASSERT_OK(worker);
    if (i == 1) // the pool goes first: its zygote takes the children along
      pool->reset();
  }
  EXPECT_THAT(childrenOf(getpid()), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, Pool, testing::Values(Walls::All, Walls::NoNamespaces), testing::PrintToStringParamName());

} // namespace
} // namespace maskjit::rl
