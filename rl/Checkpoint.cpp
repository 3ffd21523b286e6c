// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints on disk.
#include "rl/Checkpoint.h"
#include "runtime/safetensors/Safetensors.h"
#include <ATen/Functions.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <unistd.h>

namespace maskjit::rl {

namespace fs = std::filesystem;
constexpr const char *kPrefix = "checkpoint-";
constexpr const char *kStateJson = "trainer_state.json", *kStateTensors = "trainer_state.safetensors";

static std::string dtypeName(at::ScalarType type) {
  switch (type) {
  case at::kFloat:
    return "F32";
  case at::kLong:
    return "I64";
  case at::kBool:
    return "BOOL";
  default:
    throw std::runtime_error(std::string("trainer state holds float32, int64 and bool tensors; got ") +
                             c10::toString(type));
  }
}

void writeTensors(const std::string &path, const std::map<std::string, at::Tensor> &tensors) {
  std::map<std::string, TensorRecord> records;
  std::vector<at::Tensor> alive;
  for (const auto &[name, tensor] : tensors) {
    alive.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor &t = alive.back();
    records[name] = {dtypeName(t.scalar_type()), t.sizes().vec(), t.const_data_ptr(), t.nbytes()};
  }
  if (auto done = writeSafetensors(path, records); !done)
    throw std::runtime_error(done.error().message);
}

std::map<std::string, at::Tensor> readTensors(const std::string &path) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    throw std::runtime_error(file.error().message);
  std::map<std::string, at::Tensor> out;
  for (const auto &[name, record] : file->tensors()) {
    at::ScalarType type = record.dtype == "F32"    ? at::kFloat
                          : record.dtype == "I64"  ? at::kLong
                          : record.dtype == "BOOL" ? at::kBool
                                                   : at::ScalarType::Undefined;
    if (type == at::ScalarType::Undefined)
      throw std::runtime_error(path + ": tensor '" + name + "' is " + record.dtype +
                               "; trainer state holds F32, I64 and BOOL");
    out[name] = at::from_blob(const_cast<void *>(record.data), record.shape, type).clone();
  }
  return out;
}

static void syncPath(const std::string &path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) {
    std::string reason = std::strerror(errno);
    if (fd >= 0)
      close(fd);
    throw std::runtime_error(path + ": cannot write to disk: " + reason);
  }
  close(fd);
}

void writeFileAtomically(const std::string &path, const std::string &text) {
  std::string temporary = path + ".tmp";
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    if (!out.flush())
      throw std::runtime_error(temporary + ": cannot write: " + std::strerror(errno));
  }
  syncPath(temporary);
  fs::rename(temporary, path);
}

void saveCheckpoint(const std::string &directory, int64_t step, const Lora &adapter, const std::string &baseModel,
                    const TrainerState &state) {
  fs::path target = fs::path(directory) / (kPrefix + std::to_string(step));
  fs::path temporary = fs::path(directory) / ("." + target.filename().string() + ".tmp");
  fs::remove_all(temporary);
  fs::create_directories(temporary);
  adapter.save(temporary.string(), baseModel);
  writeTensors((temporary / kStateTensors).string(), state.tensors);
  writeFileAtomically((temporary / kStateJson).string(), state.json.dump(1) + "\n");
  syncPath(temporary.string());
  fs::remove_all(target); // of an earlier run in the same place
  fs::rename(temporary, target);
  syncPath(directory);
}

std::string findCheckpoint(const std::string &path) {
  if (fs::exists(fs::path(path) / kStateJson))
    return path;
  int64_t best = -1;
  if (fs::is_directory(path))
    for (const auto &entry : fs::directory_iterator(path)) {
      std::string name = entry.path().filename().string();
      if (name.rfind(kPrefix, 0) != 0 || !fs::exists(entry.path() / kStateJson))
        continue;
      const char *digits = name.c_str() + std::strlen(kPrefix), *end = name.c_str() + name.size();
      int64_t step = 0;
      if (auto [stop, error] = std::from_chars(digits, end, step); error == std::errc() && stop == end)
        best = std::max(best, step);
    }
  if (best < 0)
    throw std::runtime_error("nothing to resume in '" + path + "': expected a checkpoint folder with " + kStateJson +
                             ", or a directory with checkpoint-<step> in it");
  return (fs::path(path) / (kPrefix + std::to_string(best))).string();
}

TrainerState loadTrainerState(const std::string &checkpoint, at::Device device) {
  TrainerState state;
  std::string path = (fs::path(checkpoint) / kStateJson).string();
  std::ifstream in(path);
  if (!in)
    throw std::runtime_error(path + ": cannot open: " + std::strerror(errno));
  state.json = nlohmann::json::parse(in, nullptr, false);
  if (!state.json.is_object())
    throw std::runtime_error(path + ": expected a JSON object; the checkpoint is damaged, resume from an earlier one");
  for (auto &[name, tensor] : readTensors((fs::path(checkpoint) / kStateTensors).string()))
    state.tensors[name] = tensor.to(device);
  return state;
}

} // namespace maskjit::rl
