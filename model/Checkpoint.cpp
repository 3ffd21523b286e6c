// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds and checks the files of a checkpoint; collects what is wrong so that one message names all of it.
#include "model/Checkpoint.h"
#include "model/JsonFields.h"
#include <ATen/Functions.h>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {
namespace {

struct DTypeName {
  const char *name;
  at::ScalarType type;
};
constexpr DTypeName kDTypes[] = {
    {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"F64", at::kDouble}, {"I64", at::kLong},
    {"I32", at::kInt},   {"I16", at::kShort},     {"I8", at::kChar},  {"U8", at::kByte},    {"BOOL", at::kBool}};
constexpr size_t kShownProblems = 20; // of a checkpoint of another model everything is wrong: the rest is counted

} // namespace

std::string shapeText(const std::vector<int64_t> &shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

at::Tensor tensorOf(const TensorRecord &record) {
  for (const DTypeName &dtype : kDTypes)
    if (record.dtype == dtype.name)
      return at::from_blob(const_cast<void *>(record.data), record.shape, at::TensorOptions(dtype.type));
  throw std::runtime_error("dtype " + record.dtype + " has no counterpart in LibTorch that is read here");
}

TensorRecord recordOf(const at::Tensor &tensor) {
  for (const DTypeName &dtype : kDTypes)
    if (tensor.scalar_type() == dtype.type)
      return {dtype.name, tensor.sizes().vec(), tensor.const_data_ptr(), tensor.nbytes()};
  throw std::runtime_error(std::string("tensors of dtype ") + c10::toString(tensor.scalar_type()) + " are not written");
}

Checkpoint Checkpoint::openFile(const std::string &directory, const std::string &file) {
  Checkpoint checkpoint;
  checkpoint.directory = directory;
  checkpoint.add(file);
  return checkpoint;
}

Checkpoint Checkpoint::open(const std::string &directory, ShardSource source) {
  const std::string single = "model.safetensors";
  if (std::filesystem::exists(directory + "/" + single))
    return openFile(directory, single);
  Checkpoint checkpoint;
  checkpoint.directory = directory;
  checkpoint.source = std::move(source);
  const std::string index = checkpoint.indexPath();
  if (!std::filesystem::exists(index))
    throw std::runtime_error(directory + ": holds neither model.safetensors nor model.safetensors.index.json");
  const JsonFields fields = JsonFields::parse(readTextFile(index), index);
  const nlohmann::json *map = fields.find("weight_map");
  if (!map || !map->is_object() || map->empty())
    fields.fail("weight_map", "expected an object from tensor names to files");
  std::set<std::string> shards;
  for (auto &[name, file] : map->items()) {
    if (!file.is_string() || std::filesystem::path(file.get<std::string>()).filename() != file.get<std::string>())
      fields.fail("weight_map", "expected a file name without folders for " + name + ", got " + file.dump());
    shards.insert(file.get<std::string>());
  }
  if (checkpoint.source.need) {
    for (auto &[name, file] : map->items())
      checkpoint.tensors[name] = {nullptr, file.get<std::string>()};
    const nlohmann::json *metadata = fields.find("metadata");
    if (metadata && metadata->is_object() && metadata->contains("total_size") &&
        (*metadata)["total_size"].is_number_unsigned())
      checkpoint.statedBytes = (*metadata)["total_size"].get<size_t>();
    return checkpoint;
  }
  for (const std::string &shard : shards) {
    if (!std::filesystem::exists(directory + "/" + shard))
      throw std::runtime_error(index + ": names " + shard + ", which is not in " + directory);
    checkpoint.add(shard);
  }
  for (auto &[name, file] : map->items()) {
    auto it = checkpoint.tensors.find(name);
    if (it == checkpoint.tensors.end() || it->second.file != file.get<std::string>())
      throw std::runtime_error(index + ": says that " + file.get<std::string>() + " holds " + name + ", but " +
                               (it == checkpoint.tensors.end() ? "no shard does" : it->second.file + " does"));
  }
  for (auto &[name, entry] : checkpoint.tensors)
    if (!map->contains(name))
      throw std::runtime_error(index + ": does not name " + name + ", which " + entry.file + " holds");
  return checkpoint;
}

const SafetensorsFile &Checkpoint::openFileNamed(const std::string &file) {
  Result<SafetensorsFile> opened = SafetensorsFile::open(directory + "/" + file);
  if (!opened)
    throw std::runtime_error(opened.error().message);
  return files.insert({file, {*opened, opened->tensors().size()}}).first->second.file;
}

void Checkpoint::add(const std::string &file) {
  for (auto &[name, record] : openFileNamed(file).tensors())
    if (auto [it, fresh] = tensors.insert({name, {&record, file}}); !fresh)
      throw std::runtime_error(directory + ": " + name + " stands in " + it->second.file + " and again in " + file);
}

void Checkpoint::addWhenNeeded(const std::string &file) {
  source.need(file);
  if (!std::filesystem::exists(directory + "/" + file))
    throw std::runtime_error(indexPath() + ": names " + file + ", which was asked for and has not come to " +
                             directory);
  const std::map<std::string, TensorRecord> &held = openFileNamed(file).tensors();
  for (auto &[name, record] : held) {
    const auto it = tensors.find(name);
    if (it == tensors.end())
      throw std::runtime_error(indexPath() + ": does not name " + name + ", which " + file + " holds");
    if (it->second.file != file)
      throw std::runtime_error(indexPath() + ": says that " + it->second.file + " holds " + name + ", but " + file +
                               " does");
    it->second.record = &record;
  }
  for (auto &[name, entry] : tensors)
    if (entry.file == file && !entry.record)
      throw std::runtime_error(indexPath() + ": says that " + file + " holds " + name + ", but it does not");
}

const TensorRecord *Checkpoint::read(const std::string &name, const std::vector<std::string> &dtypes,
                                     const std::vector<int64_t> &shape) {
  auto it = tensors.find(name);
  if (it == tensors.end()) {
    problem(name, "missing" + (shape.empty() ? "" : "; expected shape " + shapeText(shape)));
    return nullptr;
  }
  if (!it->second.record)
    addWhenNeeded(std::string(it->second.file));
  if (used.insert(name).second)
    --files.at(it->second.file).unread;
  const TensorRecord &record = *it->second.record;
  if (!shape.empty() && record.shape != shape) {
    problem(name, "expected shape " + shapeText(shape) + " by the configuration, got " + shapeText(record.shape));
    return nullptr;
  }
  if (std::find(dtypes.begin(), dtypes.end(), record.dtype) == dtypes.end()) {
    problem(name, fmt::format("expected {}, got {}", fmt::join(dtypes, " or "), record.dtype));
    return nullptr;
  }
  return &record;
}

const SafetensorsFile &Checkpoint::fileOf(const TensorRecord &record) const {
  for (auto &[name, open] : files)
    if (open.file.holds(record))
      return open.file;
  throw std::runtime_error(directory + ": the tensor is of none of its open files");
}

void Checkpoint::copyBytes(const TensorRecord &record, size_t begin, size_t bytes, void *to) const {
  if (Result<void> done = fileOf(record).read(record, begin, bytes, to); !done)
    throw std::runtime_error(done.error().message);
}

at::Tensor Checkpoint::view(const TensorRecord &record) const {
  const at::ScalarType type = tensorOf(record).scalar_type();
  return at::from_blob(
      const_cast<void *>(record.data), record.shape, [file = fileOf(record)](void *) {}, at::TensorOptions(type));
}

void Checkpoint::closeRead() {
  for (auto it = files.begin(); source.need && it != files.end();) {
    if (it->second.unread) {
      ++it;
      continue;
    }
    const std::string file = it->first;
    for (auto &[name, entry] : tensors)
      if (entry.file == file)
        entry.record = nullptr;
    it = files.erase(it);
    if (source.done)
      source.done(file);
  }
}

size_t Checkpoint::bytes() const {
  if (source.need)
    return statedBytes;
  size_t sum = 0;
  for (auto &[name, entry] : tensors)
    sum += entry.record->bytes;
  return sum;
}

void Checkpoint::problem(const std::string &name, const std::string &why) { problems.push_back(name + ": " + why); }

void Checkpoint::finish() const {
  std::vector<std::string> all = problems;
  for (auto &[name, entry] : tensors)
    if (!used.count(name))
      all.push_back(name + ": surplus; no weight of this configuration has that name (in " + entry.file + ")");
  if (all.empty())
    return;
  std::string text = directory + ": the tensors do not fit the configuration";
  for (size_t i = 0; i < std::min(all.size(), kShownProblems); ++i)
    text += "\n  " + all[i];
  if (all.size() > kShownProblems)
    text += fmt::format("\n  and {} more", all.size() - kShownProblems);
  throw std::runtime_error(text);
}

} // namespace maskjit
