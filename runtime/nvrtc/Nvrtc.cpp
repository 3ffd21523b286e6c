// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds and binds libnvrtc. Its few functions are declared here, so that no CUDA header is needed to build.
#include "runtime/nvrtc/Nvrtc.h"
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

namespace maskjit {

using Program = struct OpaqueProgram *;

struct Nvrtc::Functions {
  const char *(*getErrorString)(int);
  int (*version)(int *, int *);
  int (*getNumSupportedArchs)(int *);
  int (*getSupportedArchs)(int *);
  int (*createProgram)(Program *, const char *, const char *, int, const char *const *, const char *const *);
  int (*compileProgram)(Program, int, const char *const *);
  int (*getCubinSize)(Program, size_t *);
  int (*getCubin)(Program, char *);
  int (*getPtxSize)(Program, size_t *);
  int (*getPtx)(Program, char *);
  int (*getLogSize)(Program, size_t *);
  int (*getLog)(Program, char *);
  int (*destroyProgram)(Program *);

  bool bind(void *library) {
    auto find = [&](auto *&slot, const char *name) {
      slot = reinterpret_cast<std::remove_reference_t<decltype(slot)>>(dlsym(library, name));
      return slot != nullptr;
    };
    return find(getErrorString, "nvrtcGetErrorString") && find(version, "nvrtcVersion") &&
           find(getNumSupportedArchs, "nvrtcGetNumSupportedArchs") &&
           find(getSupportedArchs, "nvrtcGetSupportedArchs") && find(createProgram, "nvrtcCreateProgram") &&
           find(compileProgram, "nvrtcCompileProgram") && find(getCubinSize, "nvrtcGetCUBINSize") &&
           find(getCubin, "nvrtcGetCUBIN") && find(getPtxSize, "nvrtcGetPTXSize") && find(getPtx, "nvrtcGetPTX") &&
           find(getLogSize, "nvrtcGetProgramLogSize") && find(getLog, "nvrtcGetProgramLog") &&
           find(destroyProgram, "nvrtcDestroyProgram");
  }
};

namespace fs = std::filesystem;

/// The folder of a library of this process whose file name begins with `name`, or an empty path.
static fs::path folderOfLoaded(const char *name) {
  std::pair<const char *, fs::path> query{name, {}};
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        auto &[wanted, found] = *static_cast<std::pair<const char *, fs::path> *>(data);
        const fs::path file = info->dlpi_name;
        if (file.filename().string().rfind(wanted, 0) != 0)
          return 0;
        found = file.parent_path();
        return 1;
      },
      &query);
  return query.second;
}

static std::vector<std::string> candidates() {
  std::vector<std::string> files;
  if (const char *file = std::getenv("MASKJIT_NVRTC"); file && *file) {
    files.push_back(file); // asked for by name: nothing else will do
    return files;
  }
  std::vector<fs::path> folders{fs::path()};
  if (fs::path torch = folderOfLoaded("libtorch_cpu"); !torch.empty())
    for (const char *wheel : {"../../nvidia/cu13/lib", "../../nvidia/cuda_nvrtc/lib"})
      folders.push_back(torch / wheel);
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *home = std::getenv(variable); home && *home)
      folders.push_back(fs::path(home) / "lib64");
  folders.push_back("/usr/local/cuda/lib64");
  if (const char *home = std::getenv("HOME"); home && *home) {
    std::error_code ignored;
    for (const fs::directory_entry &entry : fs::directory_iterator(fs::path(home) / ".cache/maskjit/deps", ignored))
      folders.push_back(entry.path() / "nvidia/cu13/lib");
  }
  for (const fs::path &folder : folders)
    for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12"})
      files.push_back((folder / name).string());
  return files;
}

/// NVRTC opens its builtins by their bare name and has no run path: they must be in the process already.
static void loadBuiltins(const fs::path &library, int major, int minor) {
  dlopen((library.parent_path() / fmt::format("libnvrtc-builtins.so.{}.{}", major, minor)).c_str(),
         RTLD_NOW | RTLD_LOCAL);
}

const Result<Nvrtc> &Nvrtc::load() {
  static const Result<Nvrtc> loaded = []() -> Result<Nvrtc> {
    std::string lastError;
    for (const std::string &file : candidates()) {
      void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (!library) {
        const std::string error = dlerror();
        if (error.find("No such file") == std::string::npos)
          lastError = "\n  " + error;
        continue;
      }
      auto functions = std::make_unique<Functions>();
      int major = 0, minor = 0, count = 0;
      if (!functions->bind(library) || functions->version(&major, &minor) || functions->getNumSupportedArchs(&count)) {
        lastError = fmt::format("\n  {}: is no NVRTC of CUDA 12 or newer", file);
        dlclose(library);
        continue;
      }
      Nvrtc nvrtc;
      nvrtc.archs.resize(count);
      functions->getSupportedArchs(nvrtc.archs.data());
      nvrtc.versionText = fmt::format("{}.{}", major, minor);
      Dl_info info;
      nvrtc.file = dladdr(reinterpret_cast<void *>(functions->version), &info) ? info.dli_fname : file;
      loadBuiltins(nvrtc.file, major, minor);
      nvrtc.functions = functions.release();
      return nvrtc;
    }
    return Error{"NVRTC (libnvrtc.so.13) was not found, so no CUDA kernel can be compiled; install CUDA 13 or the "
                 "wheel nvidia-cuda-nvrtc, or set MASKJIT_NVRTC to the file" +
                 lastError};
  }();
  return loaded;
}

bool Nvrtc::supports(std::string_view arch) const {
  int number = 0;
  if (arch.substr(0, 3) != "sm_")
    return false;
  std::from_chars(arch.data() + 3, arch.data() + arch.size(), number);
  return std::find(archs.begin(), archs.end(), number) != archs.end();
}

Result<CompiledCuda> Nvrtc::compile(const std::string &source, const std::string &fileName, const std::string &arch,
                                    const std::vector<DeviceHeader> &headers,
                                    const std::vector<std::string> &options) const {
  if (!supports(arch))
    return Error{fmt::format("NVRTC {} ({}) has no {}; it has sm_{}. Install a newer CUDA", versionText, file, arch,
                             fmt::join(archs, " sm_"))};
  std::vector<std::string> texts, names;
  for (const DeviceHeader &header : headers) {
    texts.emplace_back(header.text);
    names.emplace_back(header.name);
  }
  auto pointers = [](const std::vector<std::string> &strings) {
    std::vector<const char *> result;
    for (const std::string &each : strings)
      result.push_back(each.c_str());
    return result;
  };
  std::vector<std::string> all = options;
  all.push_back("--gpu-architecture=" + arch);
  all.push_back("--ptxas-options=-v"); // the resources
  Program program = nullptr;
  if (int code = functions->createProgram(&program, source.c_str(), fileName.c_str(), static_cast<int>(headers.size()),
                                          pointers(texts).data(), pointers(names).data()))
    return Error{fmt::format("NVRTC refused {}: {}", fileName, functions->getErrorString(code))};

  const int code = functions->compileProgram(program, static_cast<int>(all.size()), pointers(all).data());
  auto fetch = [&](auto getSize, auto get) {
    size_t size = 0;
    getSize(program, &size);
    std::string text(size, '\0');
    if (size)
      get(program, text.data());
    return text;
  };
  std::string log = fetch(functions->getLogSize, functions->getLog);
  log.resize(std::min(log.size(), log.find('\0')));
  CompiledCuda result;
  if (code == 0) {
    result.cubin = fetch(functions->getCubinSize, functions->getCubin);
    result.ptx = fetch(functions->getPtxSize, functions->getPtx);
    result.resources = parsePtxasLog(log);
  }
  functions->destroyProgram(&program);
  if (code != 0)
    return Error{fmt::format("NVRTC {} could not compile {} for {}: {}\n{}", versionText, fileName, arch,
                             functions->getErrorString(code), log)};
  return result;
}

} // namespace maskjit
