// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tries each layer as a worker gets it: this program starts itself with that layer alone.
#include "rl/sandbox/Report.h"
#include "rl/sandbox/supervisor/Layers.h"
#include "rl/sandbox/supervisor/Supervisor.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace maskjit::rl {

static std::string tryLayers(const std::set<SandboxLayer> &layers) {
  SandboxSpec spec;
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0)
    return systemError("/proc/self/exe").message;
  const std::string program(self, static_cast<size_t>(length));
  spec.argv = {program, "--nothing"};
  spec.files = {program};
  for (const char *folder : {"/lib", "/lib64", "/usr/lib", "/usr/lib64"}) // where this program is linked dynamically
    if (access(folder, R_OK) == 0)
      spec.files.push_back(folder);
  spec.layers = layers;
  const sock_filter everything = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  spec.startFilter.assign(reinterpret_cast<const char *>(&everything), sizeof everything);
  const Result<StartedWorker> worker = startWorker(spec);
  if (!worker)
    return worker.error().message;
  int status = 0;
  waitpid(worker->pid, &status, 0);
  close(worker->pidfd);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return "a process with it ended with status " + std::to_string(status);
  return "";
}

SandboxReport probeLayers() {
  SandboxReport report;
  bool user = false;
  for (SandboxLayer layer : kAllLayers) {
    std::set<SandboxLayer> layers = {layer};
    // The other namespaces need an own user namespace or root; seccomp and Landlock no new privileges.
    const bool kernelNamespace = namespaceFlags({layer}) != 0;
    if (kernelNamespace && user)
      layers.insert(SandboxLayer::UserNamespace);
    if (!kernelNamespace)
      layers.insert(SandboxLayer::NoNewPrivileges);
    const std::string reason = tryLayers(layers);
    if (layer == SandboxLayer::UserNamespace)
      user = reason.empty();
    report.layers.push_back({layer, reason.empty(), reason});
  }
  // Each stands alone; where they do not stand together, the namespaces go.
  const std::string together = tryLayers(report.active());
  if (!together.empty())
    for (LayerStatus &status : report.layers)
      if (status.active && namespaceFlags({status.layer}) != 0)
        status = {status.layer, false, "not together with the other layers: " + together};
  judge(report);
  return report;
}

} // namespace maskjit::rl
