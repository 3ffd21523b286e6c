// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A parent that is interrupted, or killed without a word, leaves no worker behind.
#include "rl/sandbox/WorkerPool.h"
#include "tests/rl/sandbox/Fixture.h"
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

using Kind = std::tuple<Walls, int>;
class ParentsEnd : public testing::TestWithParam<Kind> {
protected:
  /// Processes whose command line holds `marker`.
  static int count(const std::string &marker) {
    int found = 0;
    std::error_code code;
    for (const auto &entry : std::filesystem::directory_iterator("/proc", code)) {
      std::ifstream file(entry.path() / "cmdline");
      const std::string line{std::istreambuf_iterator<char>(file), {}};
      found += line.find(marker) != std::string::npos;
    }
    return found;
  }
  /// Waits until so many are there; false: they are not within 20 s.
  static bool await(const std::string &marker, int wanted) {
    for (int i = 0; i < 2000; ++i) {
      if (count(marker) == wanted)
        return true;
      usleep(10000);
    }
    return false;
  }
};

TEST_P(ParentsEnd, EndsAllWorkers) {
  const auto [walls, signal] = GetParam();
  const std::string marker = "parents-end-" + std::to_string(getpid()) + "-" + std::to_string(signal);
  const SandboxOptions options = pythonWorker("# " + marker + "\nreceive()\nwhile True: pass", walls);
  const pid_t parent = fork();
  if (parent == 0) {
    setpgid(0, 0); // as a shell starts a program in a terminal
    Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(options, 2);
    Result<SandboxedProcess> busy = (*pool)->take();
    Result<SandboxedProcess> alone = SandboxedProcess::start(options);
    (void)busy->send("go");
    (void)alone->send("go");
    pause();
    _exit(0);
  }
  EXPECT_TRUE(await(marker, 5)) << count(marker); // a zygote, three of its children, one by itself
  kill(signal == SIGINT ? -parent : parent, signal);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(await(marker, 0)) << count(marker) << " workers live on";
}

INSTANTIATE_TEST_SUITE_P(, ParentsEnd,
                         testing::Combine(testing::Values(Walls::All, Walls::NoNamespaces),
                                          testing::Values(SIGINT, SIGKILL)));

} // namespace
} // namespace maskjit::rl
