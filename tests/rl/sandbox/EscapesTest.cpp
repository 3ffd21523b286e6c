// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every attempt of probes/ is refused inside, with and without namespaces, before the lock-down and after; outside it
// works.
#include "rl/sandbox/Programs.h"
#include "tests/rl/sandbox/Fixture.h"
#include "tests/rl/sandbox/probes/Probe.h"
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

using testing::StartsWith;

/// A file, a TCP port and an abstract socket of the parent's, which a probe tries to reach.
class Bait {
public:
  Bait() {
    target.parent = getpid();
    target.file = testing::TempDir() + "maskjit-bait-" + std::to_string(getpid());
    std::ofstream(target.file) << "secret";
    chmod(target.file.c_str(), 0666); // what keeps a probe off must be the sandbox, not its identity
    fcntl(open(target.file.c_str(), O_RDONLY), F_DUPFD, 100); // left open for any child that is not kept from it
    tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(tcp, reinterpret_cast<sockaddr *>(&address), length), 0);
    EXPECT_EQ(listen(tcp, 64), 0);
    EXPECT_EQ(getsockname(tcp, reinterpret_cast<sockaddr *>(&address), &length), 0);
    target.port = ntohs(address.sin_port);
    target.abstractSocket = "maskjit-bait-" + std::to_string(getpid());
    local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path + 1, target.abstractSocket.data(), target.abstractSocket.size());
    EXPECT_EQ(bind(local, reinterpret_cast<sockaddr *>(&name),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + target.abstractSocket.size())),
              0);
    EXPECT_EQ(listen(local, 64), 0);
  }
  ~Bait() {
    close(tcp);
    close(local);
    unlink(target.file.c_str());
  }
  std::vector<std::string> command(const std::string &name, const std::string &stage) const {
    return {MASKJIT_SANDBOX_PROBE, name, stage, std::to_string(target.parent), std::to_string(target.port), target.file,
            target.abstractSocket};
  }

private:
  Target target;
  int tcp, local;
};
const Bait &bait() {
  static const Bait bait;
  return bait;
}

std::string attempt(const std::string &name, const std::string &stage, const std::set<SandboxLayer> &layers) {
  SandboxOptions options;
  options.argv = bait().command(name, stage);
  options.layers = layers;
  Result<SandboxedProcess> worker = SandboxedProcess::start(options);
  if (!worker)
    return worker.error().message;
  std::optional<WorkerFailure> failure = worker->send("x");
  if (!failure) {
    const Reply reply = worker->receive(20);
    if (reply)
      return *reply;
    failure = reply.failure;
  }
  return failure->reason == WorkerEnd::Forbidden ? "refused: " + failure->message
                                                 : std::string(nameOf(failure->reason)) + ": " + failure->message;
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const std::vector<Probe> &probes : {fileProbes(), processProbes(), kernelProbes()})
    for (const Probe &probe : probes)
      names.push_back(probe.name);
  return names;
}

/// What works for anyone anywhere; the rest may want root, or a kernel that has it.
const std::set<std::string> kForAnyone = {
    // files and network
    "read_parents_file", "write_parents_file", "create_file", "read_etc_passwd", "list_var", "link_file",
    "read_proc_maps", "open_dev_null", "open_shared_memory_folder", "connect_tcp", "connect_abstract_socket",
    "send_udp", "socketpair", "inherited_descriptors", "environment",
    // processes
    "fork", "thread", "execute_shell", "ptrace_self", "kill_parent", "tgkill_parent", "queue_signal_to_parent",
    "pidfd_of_parent", "signal_by_descriptor", "limits_of_parent", "affinity_of_parent", "priority_of_parent",
    // itself
    "exhaust_memory", "move_to_another_processor", "set_alarm", "make_timer", "memfd_create", "execute_memory",
    "shared_memory"};

class Escape : public testing::TestWithParam<std::string> {};

TEST_P(Escape, WorksOutside) {
  const Result<std::string> text = outputOf(bait().command(GetParam(), "outside"), {"SECRET=1"});
  // execute_memory becomes a program that says nothing
  const bool works = text && (*text == "done" || *text == "done\n" || text->empty());
  if (kForAnyone.count(GetParam()))
    EXPECT_TRUE(works) << (text ? *text : text.error().message);
  else if (!works)
    GTEST_SKIP() << "not possible here outside a sandbox either: " << (text ? *text : text.error().message);
}

TEST_P(Escape, IsRefusedInside) {
  for (Walls walls : {Walls::All, Walls::NoNamespaces})
    for (const char *stage : {"start", "locked"})
      EXPECT_THAT(attempt(GetParam(), stage, layersOf(walls)), StartsWith("refused: ")) << walls << ' ' << stage;
}

INSTANTIATE_TEST_SUITE_P(, Escape, testing::ValuesIn(names()), [](const auto &info) { return info.param; });

/// One wall alone, without the filters: that it stands is not hidden by them.
TEST(Walls, NamespacesAloneHideFilesProcessesAndNetwork) {
  std::set<SandboxLayer> layers = layersOf(Walls::All);
  if (!layers.count(SandboxLayer::UserNamespace) || !layers.count(SandboxLayer::MountNamespace) ||
      !layers.count(SandboxLayer::PidNamespace) || !layers.count(SandboxLayer::NetworkNamespace))
    GTEST_SKIP() << "this machine has no namespaces";
  layers.erase(SandboxLayer::Seccomp);
  layers.erase(SandboxLayer::Landlock);
  for (const char *name : {"read_parents_file",
                           "write_parents_file",
                           "create_file",
                           "read_etc_passwd",
                           "list_var",
                           "list_root_of_parent",
                           "read_proc_maps",
                           "open_dev_null",
                           "make_device",
                           "connect_tcp",
                           "connect_abstract_socket",
                           "execute_shell",
                           "ptrace_parent",
                           "read_parents_memory",
                           "kill_parent",
                           "tgkill_parent",
                           "queue_signal_to_parent",
                           "pidfd_of_parent",
                           "mount",
                           "become_root",
                           "fork",
                           "thread",
                           "exhaust_memory",
                           "raise_limits"})
    EXPECT_THAT(attempt(name, "locked", layers), StartsWith("refused: ")) << name;
}

TEST(Walls, LandlockAloneHidesFiles) {
  const std::set<SandboxLayer> all = layersOf(Walls::All);
  if (!all.count(SandboxLayer::Landlock))
    GTEST_SKIP() << "this machine has no Landlock";
  for (const char *name : {"read_parents_file", "write_parents_file", "create_file", "read_etc_passwd", "list_var",
                           "read_proc_maps", "open_dev_null", "execute_shell"})
    EXPECT_THAT(attempt(name, "locked", {SandboxLayer::NoNewPrivileges, SandboxLayer::Landlock}),
                StartsWith("refused: "))
        << name;
}

TEST(Walls, WithoutAnyTheProbesWork) {
  for (const char *name : {"read_parents_file", "connect_tcp", "fork", "thread", "exhaust_memory"})
    EXPECT_EQ(attempt(name, "locked", {}), "done") << name;
}

} // namespace
} // namespace maskjit::rl
