// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tables of modules, functions and audit events of CPython.
#include "rl/judge/PythonNames.h"
#include <fmt/format.h>
#include <map>

namespace maskjit::rl {

using Table = std::map<std::string_view, int>;

static const Table &modules() {
  static const Table table = {
      {"numpy", kForeignLibrary},
      {"torch", kForeignLibrary},
      {"scipy", kForeignLibrary},
      {"jax", kForeignLibrary},
      {"cupy", kForeignLibrary},
      {"numba", kForeignLibrary},
      {"tensorflow", kForeignLibrary},
      {"pandas", kForeignLibrary},
      {"triton", kForeignLibrary},
      {"importlib", kImportlib},
      {"imp", kImportlib},
      {"_imp", kImportlib},
      {"pkgutil", kImportlib},
      {"runpy", kImportlib},
      {"zipimport", kImportlib},
      {"builtins", kBuiltins},
      {"ctypes", kCtypes},
      {"_ctypes", kCtypes},
      {"cffi", kCtypes},
      {"marshal", kEncodedSource},
      {"base64", kEncodedSource},
      {"binascii", kEncodedSource},
      {"codecs", kEncodedSource},
      {"zlib", kEncodedSource},
      {"pickle", kEncodedSource},
      {"code", kEncodedSource},
      {"ast", kEncodedSource},
      {"subprocess", kSubprocess},
      {"os", kSubprocess},
      {"posix", kSubprocess},
      {"pty", kSubprocess},
      {"_posixsubprocess", kSubprocess},
      {"gc", kObjectScan},
      {"tracemalloc", kObjectScan},
      {"weakref", kObjectScan},
      {"sys", kStackFrames},
      {"inspect", kStackFrames},
      {"traceback", kStackFrames},
      {"dis", kStackFrames},
      {"faulthandler", kStackFrames},
      {"__main__", kMainGlobals},
      {"io", kFiles},
      {"_io", kFiles},
      {"socket", kFiles},
      {"pathlib", kFiles},
      {"tempfile", kFiles},
      {"shutil", kFiles},
      {"mmap", kFiles},
      {"fcntl", kFiles},
      {"urllib", kFiles},
      {"http", kFiles},
      {"select", kFiles},
      {"selectors", kFiles},
      {"time", kPatchedClock},
      {"timeit", kPatchedClock},
      {"datetime", kPatchedClock},
      {"threading", kBackgroundWork},
      {"_thread", kBackgroundWork},
      {"multiprocessing", kBackgroundWork},
      {"sched", kBackgroundWork},
      {"queue", kBackgroundWork},
      {"asyncio", kAsynchronous},
      {"concurrent", kAsynchronous},
      {"signal", kSignals},
      {"atexit", kSignals},
      {"resource", kSignals},
  };
  return table;
}

static const Table &builtins() {
  static const Table table = {
      {"exec", kEncodedSource}, {"eval", kEncodedSource}, {"compile", kEncodedSource},  {"__import__", kBuiltins},
      {"open", kFiles},         {"input", kFiles},        {"breakpoint", kStackFrames}, {"memoryview", kObjectScan},
  };
  return table;
}

/// By the event's name or, for those with a point, by its first part.
static const Table &events() {
  static const Table table = {
      {"exec", kEncodedSource},
      {"compile", kEncodedSource},
      {"marshal", kEncodedSource},
      {"pickle", kEncodedSource},
      {"code", kEncodedSource},
      {"function", kEncodedSource},
      {"open", kFiles},
      {"socket", kFiles},
      {"mmap", kFiles},
      {"fcntl", kFiles},
      {"shutil", kFiles},
      {"urllib", kFiles},
      {"glob", kFiles},
      {"tempfile", kFiles},
      {"os", kSubprocess},
      {"subprocess", kSubprocess},
      {"pty", kSubprocess},
      {"gc", kObjectScan},
      {"object", kStackFrames},
      {"sys", kStackFrames},
      {"ctypes", kCtypes},
      {"signal", kSignals},
      {"resource", kSignals},
      {"_thread", kBackgroundWork},
      {"time", kPatchedClock},
      {"import", kImportlib},
  };
  return table;
}

/// Results that the runner does not take: of the program's own types, or lazy.
static const Table &results() {
  static const Table table = {{"result", kLazySequence},
                              {"row", kLazySequence},
                              {"element", kOverriddenOperators},
                              {"lazy", kLazySequence},
                              {"empty", kConstantOutput}};
  return table;
}

static int lookUp(const Table &table, std::string_view name) {
  auto found = table.find(name);
  return found == table.end() ? kNoCheat : found->second;
}

int cheatOfModule(std::string_view module) { return lookUp(modules(), module.substr(0, module.find('.'))); }
int cheatOfBuiltin(std::string_view name) { return lookUp(builtins(), name); }

Fault faultOfPython(const std::string &report) {
  size_t space = report.find(' '), next = report.find(' ', space + 1);
  std::string kind = report.substr(0, space);
  std::string name = space == std::string::npos ? "" : report.substr(space + 1, next - space - 1);
  int number = name == "coroutine"       ? kAsynchronous
               : lookUp(results(), kind) ? lookUp(results(), kind)
               : kind == "import"        ? cheatOfModule(name)
               : kind == "builtin"       ? cheatOfBuiltin(name)
                                         : lookUp(events(), name.substr(0, name.find('.')));
  if (number == kNoCheat)
    return {Verdict::Error, 0, fmt::format("{} {} is withheld", kind, name)};
  return {Verdict::Cheat, number, fmt::format("{}: {}", report, describeCheat(number))};
}

} // namespace maskjit::rl
