// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Messages with a worker, and each way in which it can end.
#include "tests/rl/sandbox/Fixture.h"
#include <gmock/gmock.h>

namespace maskjit::rl {
namespace {

using testing::HasSubstr;

class Worker : public testing::TestWithParam<Walls> {
protected:
  /// The end of a worker that gets one message and runs `body`.
  WorkerFailure endOf(const std::string &body, SandboxLimits limits = {}) {
    SandboxOptions options = pythonWorker("receive()\n" + body, GetParam());
    options.limits = limits;
    Result<SandboxedProcess> worker = SandboxedProcess::start(options);
    EXPECT_TRUE(worker) << worker.error().message;
    if (std::optional<WorkerFailure> failure = worker->send("go"))
      return *failure;
    const Reply reply = worker->receive(10);
    EXPECT_FALSE(reply) << "it answered '" << *reply << "'";
    text = worker->text();
    return reply.failure;
  }
  std::string text;
};

TEST_P(Worker, AnswersMessages) {
  Result<SandboxedProcess> worker =
      SandboxedProcess::start(pythonWorker("while True: reply(receive()[::-1])", GetParam()));
  ASSERT_OK(worker);
  for (const std::string &message : {std::string("abc"), std::string(), std::string(3 << 20, 'x') + "y"}) {
    const std::optional<WorkerFailure> failure = worker->send(message);
    ASSERT_FALSE(failure) << failure->message << worker->text();
    const Reply reply = worker->receive(10);
    ASSERT_TRUE(reply) << reply.failure.message << worker->text();
    EXPECT_TRUE(*reply == std::string(message.rbegin(), message.rend()));
  }
  EXPECT_TRUE(worker->isReady());
}

TEST_P(Worker, HangsUntilTheDeadline) {
  Result<SandboxedProcess> worker = SandboxedProcess::start(pythonWorker("receive()\nwhile True: pass", GetParam()));
  ASSERT_OK(worker);
  ASSERT_FALSE(worker->send("go"));
  const auto before = std::chrono::steady_clock::now();
  const Reply reply = worker->receive(0.3);
  EXPECT_EQ(reply.failure.reason, WorkerEnd::Timeout) << reply.failure.message;
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
}

TEST_P(Worker, CrashesByASignal) {
  const WorkerFailure end = endOf("os.abort()");
  EXPECT_EQ(end.reason, WorkerEnd::Crashed) << end.message;
}

TEST_P(Worker, LeavesWithACode) {
  const WorkerFailure end = endOf("print('so long', flush=True); os._exit(7)");
  EXPECT_EQ(end.reason, WorkerEnd::Exited) << end.message;
  EXPECT_EQ(end.exitCode, 7);
  EXPECT_EQ(text, "so long\n");
}

TEST_P(Worker, FloodsItsOutput) {
  SandboxLimits limits;
  limits.outputBytes = 1 << 20;
  EXPECT_EQ(endOf("while True: print('x' * 1000)", limits).reason, WorkerEnd::Flooded);
  EXPECT_EQ(endOf("os.write(4, (1 << 20).to_bytes(8, 'little'))\nwhile True: os.write(4, b'x' * 1000)", limits).reason,
            WorkerEnd::Flooded);
}

TEST_P(Worker, CountsTheOutputOfEachRequest) {
  SandboxOptions options = pythonWorker("while True: reply(receive() * 1000)", GetParam());
  options.limits.outputBytes = 100000;
  Result<SandboxedProcess> worker = SandboxedProcess::start(options);
  ASSERT_OK(worker);
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(worker->send(std::string(60, 'x')));
    const Reply reply = worker->receive(10);
    ASSERT_TRUE(reply) << reply.failure.message;
    EXPECT_EQ((*reply).size(), 60000u);
  }
  ASSERT_FALSE(worker->send(std::string(120, 'x')));
  EXPECT_EQ(worker->receive(10).failure.reason, WorkerEnd::Flooded);
}

TEST_P(Worker, RunsOutOfMemory) {
  SandboxLimits limits;
  limits.memoryBytes = size_t(256) << 20;
  const WorkerFailure end = endOf("x = b'x' * (1 << 30)", limits);
  EXPECT_EQ(end.reason, WorkerEnd::Exited) << end.message;
  EXPECT_THAT(text, HasSubstr("MemoryError"));
}

TEST_P(Worker, UsesUpItsCpuTime) {
  SandboxLimits limits;
  limits.cpuSeconds = 1;
  const WorkerFailure end = endOf("while True: pass", limits);
  EXPECT_EQ(end.reason, WorkerEnd::CpuTime) << end.message;
}

TEST_P(Worker, ForksNothing) {
  const WorkerFailure end = endOf("os.fork()");
  EXPECT_EQ(end.reason, WorkerEnd::Forbidden) << end.message;
  EXPECT_EQ(end.systemCall, "clone");
}

TEST_P(Worker, NamesTheForbiddenCallBehindMuchText) {
  const WorkerFailure end = endOf("os.write(1, b'x' * 300000)\nimport time\ntime.sleep(0.1)\nos.kill(1, 9)");
  EXPECT_EQ(end.systemCall, "kill") << end.message;
  EXPECT_EQ(text.size(), size_t(1) << 16);
}

TEST_P(Worker, ClosesItsChannel) { EXPECT_EQ(endOf("os.close(4)\nwhile True: pass").reason, WorkerEnd::Closed); }

TEST_P(Worker, StopsReadingItsRequests) {
  Result<SandboxedProcess> worker =
      SandboxedProcess::start(pythonWorker("receive()\nos.close(3)\nreply(b'closed')\nwhile True: pass", GetParam()));
  ASSERT_OK(worker);
  ASSERT_FALSE(worker->send("go"));
  ASSERT_TRUE(worker->receive(10));
  const std::optional<WorkerFailure> failure = worker->send("more"); // not a SIGPIPE to this process
  EXPECT_EQ((failure ? *failure : worker->receive(10).failure).reason, WorkerEnd::Closed);
}

TEST_P(Worker, HasTheThreadsThatItMay) {
  SandboxLimits limits;
  limits.processes = 3;
  limits.memoryBytes = size_t(16) << 30; // each thread reserves a stack and a heap
  const auto starts = [](int count) {
    return "import _thread, time\nfor i in range(" + std::to_string(count) +
           "): _thread.start_new_thread(time.sleep, (100,))\n";
  };
  EXPECT_EQ(endOf(starts(2) + "time.sleep(0.2)\nos._exit(5)", limits).exitCode, 5) << text;
  const WorkerFailure end = endOf(starts(20) + "time.sleep(100)", limits);
  // With a user namespace the kernel refuses, else the supervisor sees it.
  if (GetParam() == Walls::All && layersOf(Walls::All).count(SandboxLayer::UserNamespace))
    EXPECT_THAT(text, HasSubstr("can't start new thread"));
  else
    EXPECT_EQ(end.reason, WorkerEnd::Forbidden) << end.message;
  EXPECT_EQ(endOf("os.fork()", limits).reason, WorkerEnd::Forbidden);
}

TEST_P(Worker, HoldsTheMemoryThatItMay) {
  SandboxLimits limits;
  limits.memoryBytes = 0;
  limits.residentBytes = size_t(100) << 20;
  const WorkerFailure end = endOf("x = bytearray(b'x') * (200 << 20)\nwhile True: pass", limits);
  EXPECT_EQ(end.reason, WorkerEnd::Memory) << end.message;
}

TEST_P(Worker, MapsNoNewCode) {
  const std::string code = "import mmap\nreceive()\n"
                           "try: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC); reply(b'mapped')\n"
                           "except PermissionError: reply(b'refused')";
  for (SandboxProfile profile : {SandboxProfile::Interpreter, SandboxProfile::Native}) {
    SandboxOptions options = pythonWorker(code, GetParam());
    options.profile = profile;
    Result<SandboxedProcess> worker = SandboxedProcess::start(options);
    ASSERT_OK(worker);
    ASSERT_FALSE(worker->send("go"));
    const Reply reply = worker->receive(10);
    ASSERT_TRUE(reply) << reply.failure.message << worker->text();
    EXPECT_EQ(*reply, profile == SandboxProfile::Native ? "mapped" : "refused");
  }
}

INSTANTIATE_TEST_SUITE_P(, Worker, testing::Values(Walls::All, Walls::NoNamespaces), testing::PrintToStringParamName());

} // namespace
} // namespace maskjit::rl
