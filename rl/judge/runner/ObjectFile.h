// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Code out of an object file in memory: a sandboxed worker has neither files nor a linker.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

class ObjectFile {
public:
  /// Maps the sections of an x86-64 ELF object of position-independent code and binds it to the symbols of this process
  /// that `mayUse` (all: nullptr). Constructors do not run. The code stays for good. Returns an empty text, or what is
  /// wrong; `withheld` is then the symbol that mayUse refused or that nobody defines, if that was it.
  std::string load(std::string_view object, bool (*mayUse)(std::string_view name), std::string &withheld);
  /// nullptr: it defines no such global function.
  void *find(const std::string &name) const;

private:
  struct Layout;
  std::string bind(Layout &layout, bool (*mayUse)(std::string_view name), std::string &withheld);

  std::map<std::string, void *> globals;
};

/// Functions that compilers emit by themselves, memory from the heap, and arithmetic of math.h: what a kernel needs.
bool isKernelFunction(std::string_view name);

} // namespace maskjit::rl
