// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hostile candidates by the thousand, then a look at what is left: processes, descriptors, files, mounts, memory.
//   bench_sandbox_soak [--candidates 10000] [--minutes 10] [--no-namespaces]    ends at whichever comes first
#include "rl/sandbox/WorkerPool.h"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace maskjit;
using namespace maskjit::rl;
namespace fs = std::filesystem;

namespace {

/// Reads a candidate's source and runs it.
const char *const kRunner = R"(
import os, sys, time
def exactly(n):
    data = b''
    while len(data) < n: data += os.read(3, n - len(data)) or os._exit(0)
    return data
exec(exactly(int.from_bytes(exactly(8), 'little')).decode())
)";

struct Candidate {
  const char *name, *source;
  double seconds; // until it is given up
};
const Candidate kCandidates[] = {
    {"answers", "os.write(4, (2).to_bytes(8, 'little') + b'ok')", 5},
    {"loops", "while True: pass", 0.05},
    {"sleeps", "time.sleep(1000)", 0.05},
    {"aborts", "os.abort()", 5},
    {"raises", "raise ValueError", 5},
    {"leaves", "os._exit(3)", 5},
    {"forks", "while True: os.fork()", 5},
    {"threads", "import _thread\nwhile True: _thread.start_new_thread(time.sleep, (1000,))", 5},
    {"executes", "os.execv('/bin/sh', ['sh'])", 5},
    {"kills its parent", "os.kill(os.getppid(), 9)", 5},
    {"kills everyone", "os.kill(-1, 9)", 5},
    {"exhausts memory at once", "x = bytearray(1 << 40)", 5},
    {"exhausts memory by and by", "x = []\nwhile True: x.append(bytearray(1 << 24))", 5},
    {"recurses", "sys.setrecursionlimit(10 ** 9)\nf = lambda: f()\nf()", 0.3},
    {"floods standard output", "while True: os.write(1, b'x' * 65536)", 5},
    {"floods the reply channel", "os.write(4, (1 << 20).to_bytes(8, 'little'))\nwhile True: os.write(4, b'x' * 65536)",
     5},
    {"announces too much", "os.write(4, b'\\xff' * 8)\ntime.sleep(1000)", 5},
    {"closes its channel", "os.close(3)\nos.close(4)\ntime.sleep(1000)", 5},
    {"closes everything", "os.closerange(0, 1 << 16)\ntime.sleep(1000)", 5},
    {"opens files", "while True: open('/tmp/left-behind', 'w')", 5},
    {"ignores signals",
     "import signal\nfor s in range(1, 64):\n    try: signal.signal(s, signal.SIG_IGN)\n"
     "    except Exception: pass\nwhile True: pass",
     0.05},
    {"answers half", "os.write(4, b'abc')\ntime.sleep(1000)", 0.05},
};

/// Processes whose command line holds `marker`, as that of every worker here does.
int processesWith(const std::string &marker) {
  int count = 0;
  std::error_code code;
  for (const fs::directory_entry &entry : fs::directory_iterator("/proc", code)) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    count += line.find(marker) != std::string::npos;
  }
  return count;
}

struct Residue {
  long processes, descriptors, mounts, files;
  double residentMegabytes;
};
Residue look(const std::string &marker) {
  const auto entries = [](const char *folder) {
    std::error_code code;
    return std::distance(fs::directory_iterator(folder, code), fs::directory_iterator());
  };
  std::ifstream mounts("/proc/self/mountinfo"), memory("/proc/self/statm");
  const long lines = std::count(std::istreambuf_iterator<char>(mounts), {}, '\n');
  long size = 0, resident = 0;
  memory >> size >> resident;
  return {processesWith(marker), entries("/proc/self/fd"), lines, entries("/dev/shm") + fs::exists("/tmp/left-behind"),
          static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / 1e6};
}

} // namespace

int main(int argc, char **argv) {
  long candidates = 10000;
  double minutes = 10;
  bool noNamespaces = false;
  CLI::App app("Runs hostile candidates in sandboxes and counts what they leave behind.");
  app.add_option("--candidates", candidates, "at most so many");
  app.add_option("--minutes", minutes, "at most so long");
  app.add_flag("--no-namespaces", noNamespaces, "as on a machine without namespaces");
  CLI11_PARSE(app, argc, argv);

  const Result<SandboxReport> report = probeSandbox();
  const Result<PythonRuntime> python = findPython();
  if (!report || !python) {
    fmt::print(stderr, "{}\n", !report ? report.error().message : python.error().message);
    return 1;
  }
  const std::string marker = fmt::format("sandbox-soak-{}", getpid());
  SandboxOptions options;
  options.argv = {python->program, "-I", "-S", "-c", fmt::format("# {}\n{}", marker, kRunner)};
  options.files = python->files;
  options.hidden = python->hidden;
  options.layers = report->active();
  if (noNamespaces)
    for (SandboxLayer layer : {SandboxLayer::UserNamespace, SandboxLayer::PidNamespace, SandboxLayer::NetworkNamespace,
                               SandboxLayer::MountNamespace})
      options.layers.erase(layer);
  options.limits.memoryBytes = size_t(256) << 20;
  options.limits.outputBytes = size_t(4) << 20;

  const Residue before = look(marker);
  Residue warm = before;
  std::map<std::string, std::map<std::string, long>> ends; // by candidate: how often it ended which way
  std::mutex mutex;
  std::atomic<long> next = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto until = start + std::chrono::duration<double>(60 * minutes);
  {
    Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(options, 3);
    if (!pool) {
      fmt::print(stderr, "{}\n", pool.error().message);
      return 1;
    }
    const auto lane = [&] {
      for (long i; std::chrono::steady_clock::now() < until && (i = next++) < candidates;) {
        const Candidate &candidate = kCandidates[static_cast<size_t>(i) % std::size(kCandidates)];
        // One of a hundred is started by itself, so that setting up and tearing down walls is soaked as well.
        Result<SandboxedProcess> worker = i % 100 == 0 ? SandboxedProcess::start(options) : (*pool)->take();
        std::string end = worker ? "answered" : worker.error().message;
        if (worker) {
          std::optional<WorkerFailure> failure = worker->send(candidate.source);
          if (!failure) {
            Reply reply = worker->receive(candidate.seconds);
            if (!reply)
              failure = reply.failure;
          }
          if (failure)
            end = failure->reason == WorkerEnd::NotStarted ? failure->message : nameOf(failure->reason);
        }
        std::lock_guard<std::mutex> lock(mutex);
        ++ends[candidate.name][end];
        if (i == candidates / 10)
          warm = look(marker);
      }
    };
    std::thread other(lane);
    lane();
    other.join();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  usleep(200000); // the kernel takes namespaces down behind our back
  const Residue after = look(marker);
  long count = 0;
  for (const auto &[name, ways] : ends) {
    std::string text;
    for (const auto &[way, times] : ways) {
      text += fmt::format("  {} {}", times, way);
      count += times;
    }
    fmt::print("{:<28}{}\n", name, text);
  }
  fmt::print("{} candidates in {:.0f} s, {:.0f} a second\n", count, seconds, static_cast<double>(count) / seconds);
  fmt::print("left: {} processes, {} descriptors, {} mounts, {} files; {:.1f} MB held, {:.1f} after a tenth\n",
             after.processes - before.processes, after.descriptors - before.descriptors, after.mounts - before.mounts,
             after.files - before.files, after.residentMegabytes, warm.residentMegabytes);
  constexpr double kSlack = 16; // MB: buffers of the largest answers
  const bool clean = after.processes == before.processes && after.descriptors <= before.descriptors &&
                     after.mounts <= before.mounts && after.files <= before.files &&
                     (warm.processes == 0 || after.residentMegabytes < warm.residentMegabytes + kSlack);
  fmt::print("{}\n", clean ? "nothing is left" : "something is left");
  return clean ? 0 : 1;
}
