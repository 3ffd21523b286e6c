// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "DeviceProgram.h"
#include "compiler/Compiler.h"
#include <chrono>
#include <cstdlib>
#include <dlfcn.h>
#include <regex>
#include <sstream>

namespace maskjit::test {

namespace {
void *nvrtc() {
  static void *library = [] {
    void *opened = nullptr;
    for (const char *name : {"libnvrtc.so.13", "/usr/local/cuda/lib64/libnvrtc.so.13"})
      if (!opened)
        opened = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    return opened;
  }();
  return library;
}
template <class F> F *symbol(const char *name) { return reinterpret_cast<F *>(dlsym(nvrtc(), name)); }

using Program = void *;
using Create = int(Program *, const char *, const char *, int, const char *const *, const char *const *);
using Compile = int(Program, int, const char *const *);
using Size = int(Program, size_t *);
using Text = int(Program, char *);

std::string read(Program program, const char *size, const char *text) {
  size_t bytes = 0;
  symbol<Size>(size)(program, &bytes);
  std::string result(bytes, 0);
  symbol<Text>(text)(program, result.data());
  return result;
}

/// ptxas -v writes three lines a kernel: its name, stack and spills, registers.
std::map<std::string, KernelResources> parseResources(const std::string &log) {
  static const std::regex entry("Compiling entry function '([^']+)'"), registers("Used ([0-9]+) registers"),
      spills("([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores");
  std::map<std::string, KernelResources> kernels;
  std::istringstream lines(log);
  std::string name;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, entry))
      name = match[1];
    else if (std::regex_search(line, match, spills))
      kernels[name].stackBytes = std::stoi(match[1]), kernels[name].spillBytes = std::stoi(match[2]);
    else if (std::regex_search(line, match, registers))
      kernels[name].registers = std::stoi(match[1]);
  }
  return kernels;
}
} // namespace

bool hasNvrtc() { return nvrtc() != nullptr; }

Result<DeviceProgram> compileDevice(const std::string &source, const std::string &arch) {
  std::vector<std::string> texts;
  std::vector<const char *> names, pointers;
  for (const DeviceHeader &header : deviceHeaders())
    texts.emplace_back(header.text), names.push_back(header.name.data());
  for (const std::string &text : texts)
    pointers.push_back(text.c_str());
  const std::string target = "--gpu-architecture=" + arch;
  const char *options[] = {target.c_str(), "--std=c++17", "--ptxas-options=-v", "-default-device", "-lineinfo"};
  const int optionCount = std::getenv("MASKJIT_LINE_INFO") ? 5 : 4; // line numbers for the sanitizer

  const auto start = std::chrono::steady_clock::now();
  Program program = nullptr;
  symbol<Create>("nvrtcCreateProgram")(&program, source.c_str(), "attention.cu", int(names.size()), pointers.data(),
                                       names.data());
  const int code = symbol<Compile>("nvrtcCompileProgram")(program, optionCount, options);
  DeviceProgram result;
  result.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  const std::string log = read(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
  if (code == 0) {
    result.image = arch[0] == 'c' ? read(program, "nvrtcGetPTXSize", "nvrtcGetPTX")
                                  : read(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN");
    result.kernels = parseResources(log);
  }
  symbol<int(Program *)>("nvrtcDestroyProgram")(&program);
  if (code != 0)
    return Error{log};
  return result;
}

} // namespace maskjit::test
