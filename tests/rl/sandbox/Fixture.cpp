// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The layers are probed once a program.
#include "tests/rl/sandbox/Fixture.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace maskjit::rl {

std::set<SandboxLayer> layersOf(Walls walls) {
  static const Result<SandboxReport> report = probeSandbox();
  EXPECT_TRUE(report) << report.error().message;
  std::set<SandboxLayer> layers = report->active();
  if (walls == Walls::NoNamespaces)
    for (SandboxLayer layer : {SandboxLayer::UserNamespace, SandboxLayer::PidNamespace, SandboxLayer::NetworkNamespace,
                               SandboxLayer::MountNamespace})
      layers.erase(layer);
  return layers;
}

SandboxOptions pythonWorker(const std::string &source, Walls walls) {
  static const Result<PythonRuntime> python = findPython();
  EXPECT_TRUE(python) << python.error().message;
  static const std::string prelude = "import os\n"
                                     "def exactly(n):\n"
                                     "    data = b''\n"
                                     "    while len(data) < n:\n"
                                     "        part = os.read(3, n - len(data))\n"
                                     "        if not part: os._exit(0)\n"
                                     "        data += part\n"
                                     "    return data\n"
                                     "def receive(): return exactly(int.from_bytes(exactly(8), 'little'))\n"
                                     "def reply(data):\n"
                                     "    data = len(data).to_bytes(8, 'little') + data\n"
                                     "    while data: data = data[os.write(4, data):]\n";
  SandboxOptions options;
  options.argv = {python->program, "-I", "-S", "-c", prelude + source};
  options.files = python->files;
  options.hidden = python->hidden;
  options.layers = layersOf(walls);
  return options;
}

std::vector<int> childrenOf(int parent) {
  std::vector<int> children;
  for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (name.find_first_not_of("0123456789") == std::string::npos && std::getline(file, line) &&
        std::atoi(line.c_str() + line.rfind(')') + 4) == parent) // "pid (name) state parent"
      children.push_back(std::stoi(name));
  }
  return children;
}

} // namespace maskjit::rl
