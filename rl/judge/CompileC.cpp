// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// clang as a filter: source to standard input, object from standard output, no files.
#include "rl/judge/CompileC.h"
#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace maskjit::rl {

// Memory and output of one compilation. A kernel takes a tenth of a second; a compile bomb gets no more than this.
constexpr size_t kCompilerMemory = size_t(1) << 30, kLargestObject = size_t(8) << 20;

constexpr double kBusyFactor = 10; // wall time for CPU time, on a machine with other work

static const char *const kStdlib = "void *malloc(unsigned long); void *calloc(unsigned long, unsigned long); void "
                                   "*realloc(void *, unsigned long); void free(void *); void *aligned_alloc(unsigned "
                                   "long, unsigned long); int posix_memalign(void **, unsigned long, unsigned long); "
                                   "void abort(void);";
static const char *const kString = "void *memcpy(void *restrict, const void *restrict, unsigned long); void "
                                   "*memmove(void *, const void *, unsigned long); void *memset(void *, int, unsigned "
                                   "long); int memcmp(const void *, const void *, unsigned long);";
static const char *const kMath = "double fma(double, double, double); float fmaf(float, float, float); double "
                                 "sqrt(double); float sqrtf(float); double fabs(double); float fabsf(float); double "
                                 "fmin(double, double); float fminf(float, float); double fmax(double, double); float "
                                 "fmaxf(float, float); double floor(double); float floorf(float); double ceil(double); "
                                 "float ceilf(float);";

/// Declarations of the header that `line` includes; nullptr: it includes none that is answered here.
static const char *declarationsFor(std::string line) {
  line.erase(std::remove_if(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t'; }), line.end());
  for (auto [include, text] : {std::pair("#include<stdlib.h>", kStdlib), std::pair("#include<string.h>", kString),
                               std::pair("#include<math.h>", kMath)})
    if (line.rfind(include, 0) == 0)
      return text;
  return nullptr;
}

std::string withDeclarations(const std::string &source) {
  std::string out;
  int number = 1;
  for (size_t at = 0; at < source.size(); ++number) {
    size_t end = std::min(source.find('\n', at), source.size());
    std::string line = source.substr(at, end - at);
    const char *text = declarationsFor(line);
    out += text ? fmt::format("#line {}\n{}", number, text) : line;
    if (end < source.size())
      out += '\n';
    at = end + 1;
  }
  return out;
}

static std::optional<std::string> findProgram(const std::string &name) {
  if (name.find('/') != std::string::npos)
    return access(name.c_str(), X_OK) == 0 ? std::optional(name) : std::nullopt;
  const char *path = std::getenv("PATH");
  std::string folders = path ? path : "/usr/bin:/bin";
  for (size_t at = 0; at <= folders.size();) {
    size_t end = std::min(folders.find(':', at), folders.size());
    std::string file = folders.substr(at, end - at) + "/" + name;
    if (end > at && access(file.c_str(), X_OK) == 0)
      return file;
    at = end + 1;
  }
  return std::nullopt;
}

/// First line that a trusted run of `command` prints.
static std::string firstLine(const std::string &command) {
  std::string text;
  if (FILE *pipe = popen(command.c_str(), "r")) {
    char buffer[4096];
    if (std::fgets(buffer, sizeof buffer, pipe))
      text = buffer;
    pclose(pipe);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.pop_back();
  return text;
}

Result<CCompiler> CCompiler::create(const std::set<SandboxLayer> &layers, int cpu, double timeoutSeconds) {
  const char *chosen = std::getenv("MASKJIT_CLANG");
  std::optional<std::string> clang = findProgram(chosen ? chosen : "clang-22");
  if (!clang && !chosen)
    clang = findProgram("clang");
  if (!clang)
    return Error{fmt::format("no C compiler: '{}' is not in PATH; install clang-22 or set MASKJIT_CLANG to a clang",
                             chosen ? chosen : "clang-22")};
  // By its own name: it looks for its libraries from the folder that it is in.
  char real[PATH_MAX];
  if (realpath(clang->c_str(), real))
    clang = real;
  std::string resources = firstLine("'" + *clang + "' -print-resource-dir");
  if (resources.empty())
    return Error{fmt::format("{} does not say where its headers are; set MASKJIT_CLANG to a clang", *clang)};
  SandboxOptions o;
  o.argv = {*clang, "-x", "c", "-std=gnu17", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden", "-fno-ident",
            "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-w", "-nostdinc", "-isystem",
            resources + "/include",
            // clang's immintrin.h includes mm_malloc.h, which wants the system's stdlib.h.
            "-D__MM_MALLOC_H", "-ferror-limit=1", "-fno-caret-diagnostics", "-fno-color-diagnostics",
            "-ftemplate-depth=64", "-fconstexpr-steps=100000", "-c", "-o", "-", "-"};
  o.files = {resources + "/include"};
  o.limits.memoryBytes = kCompilerMemory;
  o.limits.cpuSeconds = timeoutSeconds;
  o.limits.wallSeconds = kBusyFactor * timeoutSeconds;
  o.limits.outputBytes = kLargestObject;
  o.channel = SandboxChannel::Standard;
  o.layers = layers;
  o.cpu = cpu;
  Result<SandboxTemplate> kind = SandboxTemplate::create(std::move(o));
  if (!kind)
    return kind.error();
  return CCompiler(std::move(*kind));
}

CCompiler::Outcome CCompiler::compile(const std::string &source) const {
  Outcome outcome;
  Result<SandboxedProcess> process = SandboxedProcess::start(kind);
  if (!process) {
    outcome.fault = process.error().message;
    return outcome;
  }
  std::optional<WorkerFailure> failure = process->send(withDeclarations(source));
  Reply reply = failure ? Reply{std::nullopt, *failure} : process->finish(kind.options().limits.wallSeconds);
  if (reply && !(*reply).empty()) {
    outcome.object = *reply;
    return outcome;
  }
  outcome.timeout = reply.failure.reason == WorkerEnd::Timeout || reply.failure.reason == WorkerEnd::CpuTime;
  std::string said = process->text();
  size_t error = said.find("error: ");
  outcome.fault = error != std::string::npos ? said.substr(error, said.find('\n', error) - error)
                                             : "the compiler ended: " + reply.failure.message;
  return outcome;
}

} // namespace maskjit::rl
