// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Import resolution: each file is read once, cycles are refused, the shipped masks come out of the library itself.
#include "compiler/frontend/Imports.h"
#include "compiler/EmbeddedFile.h"
#include "compiler/frontend/Names.h"
#include "compiler/frontend/Parser.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>

namespace maskjit {
extern const EmbeddedFile shippedMasks[];
extern const size_t shippedMasksCount;
} // namespace maskjit

namespace maskjit::frontend {

namespace fs = std::filesystem;
using TreeResult = Result<std::shared_ptr<const SyntaxTree>>;

static std::string_view stem(const EmbeddedFile &file) {
  const std::string_view name = file.name;
  return name.substr(0, name.rfind('.'));
}

std::vector<std::string> shippedNames() {
  std::vector<std::string> names;
  for (size_t i = 0; i < shippedMasksCount; ++i)
    names.emplace_back(stem(shippedMasks[i]));
  std::sort(names.begin(), names.end());
  return names;
}

bool isShipped(std::string_view name) {
  for (size_t i = 0; i < shippedMasksCount; ++i)
    if (stem(shippedMasks[i]) == name)
      return true;
  return false;
}

static Result<std::string> readFile(const std::string &path) {
  std::error_code code;
  if (path.find('\0') != std::string::npos)
    return Error{fmt::format("'{}' is no path", printable(path))};
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status))
    return Error{fmt::format("there is no file '{}'", printable(path, 200))};
  if (!fs::is_regular_file(status))
    return Error{fmt::format("'{}' is not a regular file", printable(path, 200))};
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return Error{fmt::format("cannot open '{}': {}", printable(path, 200), std::strerror(errno))};
  // One byte past the limit tells the parser that there is more.
  std::string text(kMaxFileBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad())
    return Error{fmt::format("cannot read '{}': {}", printable(path, 200), std::strerror(errno))};
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

namespace {

/// Loads one root file and what it reaches.
class Loader {
public:
  TreeResult load(std::string text, std::string name, const std::string &key);
  /// `key` of a shipped mask: its name, which no path equals after normalisation ("./x" for relative ones).
  TreeResult shipped(const std::string &name);
  TreeResult file(const std::string &path);

private:
  Result<void> resolve(SyntaxTree &tree);

  std::map<std::string, std::shared_ptr<const SyntaxTree>> done;
  std::vector<std::string> open; // keys of the files being loaded, outermost first
};

} // namespace

static std::string pathKey(const std::string &path) {
  std::error_code code;
  const fs::path canonical = fs::weakly_canonical(path, code);
  return "file:" + (code ? path : canonical.string());
}
static std::string shippedKey(const std::string &name) { return "shipped:" + name; }
static bool isPath(std::string_view target) {
  return target.find('/') != std::string_view::npos ||
         (target.size() > 5 && target.substr(target.size() - 5) == ".mask");
}

TreeResult Loader::load(std::string text, std::string name, const std::string &key) {
  Result<std::shared_ptr<SyntaxTree>> tree = parseFile({std::move(name), std::move(text)});
  if (!tree)
    return tree.error();
  open.push_back(key);
  Result<void> resolved = resolve(**tree);
  open.pop_back();
  if (!resolved)
    return resolved.error();
  done[key] = *tree;
  return std::shared_ptr<const SyntaxTree>(*tree);
}

TreeResult Loader::shipped(const std::string &name) {
  for (size_t i = 0; i < shippedMasksCount; ++i)
    if (stem(shippedMasks[i]) == name)
      return load(std::string(shippedMasks[i].data, shippedMasks[i].size), shippedMasks[i].name, shippedKey(name));
  const std::string guess = didYouMean(name, shippedNames());
  return Error{fmt::format("no mask '{}' ships with maskjit; {}", printable(name),
                           guess.empty() ? "they are " + quotedList(shippedNames()) +
                                               "; a file is named by its path, as in ./local.mask"
                                         : guess)};
}

TreeResult Loader::file(const std::string &path) {
  Result<std::string> text = readFile(path);
  return text ? load(std::move(*text), path, pathKey(path)) : TreeResult(text.error());
}

Result<void> Loader::resolve(SyntaxTree &tree) {
  for (Import &import : tree.imports) {
    const SourceSpan at = tree.span(import.range);
    std::string target = import.target;
    if (isPath(target) && target.front() != '/') {
      const size_t slash = tree.source.name.rfind('/');
      target = slash == std::string::npos ? target : tree.source.name.substr(0, slash + 1) + target;
    }
    const std::string key = isPath(import.target) ? pathKey(target) : shippedKey(target);
    if (std::find(open.begin(), open.end(), key) != open.end())
      return errorAt(at, fmt::format("'{}' imports itself{}", printable(import.target, 200),
                                     open.back() == key ? "" : " by way of this file"));
    if (auto known = done.find(key); known != done.end()) {
      import.tree = known->second;
      continue;
    }
    if (done.size() + open.size() > kMaxImports)
      return errorAt(at, fmt::format("more than {} files are imported", kMaxImports));
    // What cannot be found is an error of this line; what is wrong inside the file has its own place.
    if (isPath(import.target)) {
      Result<std::string> text = readFile(target);
      if (!text)
        return errorAt(at, text.error().message);
      TreeResult loaded = load(std::move(*text), target, key);
      if (!loaded)
        return loaded.error();
      import.tree = *loaded;
    } else {
      if (!isShipped(target)) {
        const std::string guess = didYouMean(target, shippedNames());
        return errorAt(at, fmt::format("no mask '{}' ships with maskjit", printable(target)),
                       guess.empty() ? "a file is named by its path, as in \"./local.mask\"" : guess);
      }
      TreeResult loaded = shipped(target);
      if (!loaded)
        return loaded.error();
      import.tree = *loaded;
    }
  }
  return {};
}

TreeResult loadText(std::string text, std::string file) {
  const std::string key = pathKey(file);
  return Loader().load(std::move(text), std::move(file), key);
}
TreeResult loadFile(const std::string &path) { return Loader().file(path); }
TreeResult loadShipped(const std::string &name) { return Loader().shipped(name); }

} // namespace maskjit::frontend
