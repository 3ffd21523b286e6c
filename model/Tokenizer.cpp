// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text to ids (added tokens, words, byte pairs) and back.
#include "model/Tokenizer.h"
#include "model/tokenizer/Utf8.h"
#include "model/tokenizer/Vocabulary.h"
#include "model/tokenizer/WordSplitter.h"
#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <stdexcept>

namespace maskjit {

namespace {
/// Words that were encoded before. Long words are rare and large, so they are not kept.
class WordCache {
public:
  bool find(std::string_view word, std::vector<int64_t> &tokens) const {
    if (word.size() > kMaxBytes)
      return false;
    std::lock_guard<std::mutex> lock(mutex);
    const auto it = words.find(std::string(word));
    if (it == words.end())
      return false;
    tokens.insert(tokens.end(), it->second.begin(), it->second.end());
    return true;
  }
  void insert(std::string_view word, const int64_t *begin, const int64_t *end) const {
    if (word.size() > kMaxBytes)
      return;
    std::lock_guard<std::mutex> lock(mutex);
    if (words.size() >= kMaxWords)
      words.clear();
    words.emplace(word, std::vector<int32_t>(begin, end));
  }

private:
  static constexpr size_t kMaxBytes = 64, kMaxWords = 1 << 16;
  mutable std::mutex mutex;
  mutable std::unordered_map<std::string, std::vector<int32_t>> words;
};
} // namespace

struct Tokenizer::Impl {
  Impl(Vocabulary source, const std::string &file);

  using Accept = std::function<bool(const AddedToken &)>;
  std::vector<int64_t> encode(std::string_view text, const Accept &accept) const;
  void encodeWord(std::string_view word, std::vector<int64_t> &ids) const;

  Vocabulary vocabulary;
  AddedTokens added;
  BytePairs pairs;
  WordSplitter words;
  WordCache cache;

  struct Piece {
    std::string bytes;
    bool known = false, special = false;
  };
  std::vector<Piece> pieces;
};

Tokenizer::Impl::Impl(Vocabulary source, const std::string &file)
    : vocabulary(std::move(source)), added(vocabulary.added), words(vocabulary.wordExpression) {
  std::array<int32_t, 256> byteTokens;
  for (int byte = 0; byte < 256; ++byte) {
    const auto it = vocabulary.tokens.find(std::string(1, static_cast<char>(byte)));
    if (it == vocabulary.tokens.end())
      throw std::runtime_error(fmt::format("{}: no token for byte 0x{:02x}; byte-level BPE needs all 256", file, byte));
    byteTokens[byte] = it->second;
  }
  pairs = BytePairs(byteTokens, vocabulary.merges);
  vocabulary.merges = {}; // `pairs` holds them now

  const auto put = [&](int32_t id, std::string bytes, bool special) {
    if (pieces.size() <= static_cast<size_t>(id))
      pieces.resize(id + 1);
    pieces[id] = {std::move(bytes), true, special};
  };
  for (const auto &[bytes, id] : vocabulary.tokens)
    put(id, bytes, false);
  // The byte-level decoder reads an added token's text too, as far as it can.
  for (const AddedToken &token : vocabulary.added)
    put(token.id, bytesOfByteLevel(token.content).value_or(token.content), token.special);
}

void Tokenizer::Impl::encodeWord(std::string_view word, std::vector<int64_t> &ids) const {
  if (cache.find(word, ids))
    return;
  const size_t before = ids.size();
  const auto whole = vocabulary.ignoreMerges ? vocabulary.tokens.find(std::string(word)) : vocabulary.tokens.end();
  if (whole != vocabulary.tokens.end())
    ids.push_back(whole->second);
  else
    pairs.encode(word, ids);
  cache.insert(word, ids.data() + before, ids.data() + ids.size());
}

std::vector<int64_t> Tokenizer::Impl::encode(std::string_view raw, const Accept &accept) const {
  const std::string repaired = utf8::valid(raw) ? std::string() : utf8::repaired(raw);
  const std::string_view text = repaired.empty() ? raw : std::string_view(repaired);
  if (text.size() > INT32_MAX)
    throw std::runtime_error(
        fmt::format("a text of {} bytes is too long to encode, the limit is {}", text.size(), INT32_MAX));
  std::vector<int64_t> ids;
  const auto encodeText = [&](std::string_view part) {
    words.split(part, [&](std::string_view word) { encodeWord(word, ids); });
  };
  // Calls `rest` with what lies between the accepted tokens.
  const auto cutOut = [&](std::string_view part, const Accept &wanted,
                          const std::function<void(std::string_view)> &rest) {
    size_t at = 0;
    while (const auto match = added.find(part, at, wanted)) {
      rest(part.substr(at, match->begin - at));
      ids.push_back(match->token->id);
      at = match->end;
    }
    rest(part.substr(at));
  };
  cutOut(
      text, [&](const AddedToken &t) { return !t.normalized && accept(t); },
      [&](std::string_view part) {
        cutOut(part, [&](const AddedToken &t) { return t.normalized && accept(t); }, encodeText);
      });
  return ids;
}

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string &directory) {
  const std::string file = directory + "/tokenizer.json";
  return std::make_shared<const Tokenizer>(std::make_shared<const Impl>(Vocabulary::fromJson(file), file));
}

std::shared_ptr<const Tokenizer> Tokenizer::fromO200k(const std::string &tiktokenFile) {
  Vocabulary vocabulary = Vocabulary::fromTiktoken(tiktokenFile);
  constexpr size_t kTokens = 199998; // of o200k_base; the special ids follow
  if (vocabulary.tokens.size() != kTokens)
    throw std::runtime_error(
        fmt::format("{}: {} tokens, o200k_base has {}", tiktokenFile, vocabulary.tokens.size(), kTokens));
  const std::string end = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|";
  const std::string upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  vocabulary.wordExpression = "[^\\r\\n\\p{L}\\p{N}]?" + upper + "*" + lower + "+" + end + "[^\\r\\n\\p{L}\\p{N}]?" +
                              upper + "+" + lower + "*" + end +
                              "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const std::pair<int32_t, const char *> named[] = {
      {199998, "startoftext"}, {199999, "endoftext"},   {200002, "return"}, {200003, "constrain"},
      {200005, "channel"},     {200006, "start"},       {200007, "end"},    {200008, "message"},
      {200012, "call"},        {200018, "endofprompt"},
  };
  constexpr int32_t kLast = 201087;
  for (int32_t id = 199998; id <= kLast; ++id) {
    const auto *it = std::find_if(std::begin(named), std::end(named), [&](const auto &n) { return n.first == id; });
    const std::string name = it != std::end(named) ? it->second : fmt::format("reserved_{}", id);
    vocabulary.added.push_back({id, "<|" + name + "|>", true, false});
  }
  return std::make_shared<const Tokenizer>(std::make_shared<const Impl>(std::move(vocabulary), tiktokenFile));
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool specials) const {
  return impl->encode(text, [&](const AddedToken &token) { return specials || !token.special; });
}

std::vector<int64_t> Tokenizer::encodeAllowing(std::string_view text, const std::vector<int64_t> &allowed) const {
  return impl->encode(text, [&](const AddedToken &token) {
    return !token.special || std::find(allowed.begin(), allowed.end(), token.id) != allowed.end();
  });
}

std::string Tokenizer::decode(const std::vector<int64_t> &ids, bool skipSpecials) const {
  std::string bytes;
  for (int64_t id : ids)
    if (id >= 0 && id < vocabSize() && !(skipSpecials && impl->pieces[id].special))
      bytes += impl->pieces[id].bytes;
  return bytes;
}

int64_t Tokenizer::tokenId(std::string_view token) const {
  for (const AddedToken &added : impl->vocabulary.added)
    if (added.content == token)
      return added.id;
  const auto it = impl->vocabulary.tokens.find(std::string(token));
  return it == impl->vocabulary.tokens.end() ? -1 : it->second;
}

bool Tokenizer::isSpecial(int64_t id) const { return id >= 0 && id < vocabSize() && impl->pieces[id].special; }
int64_t Tokenizer::vocabSize() const { return static_cast<int64_t>(impl->pieces.size()); }

std::string replaceInvalidUtf8(std::string_view bytes) { return utf8::repaired(bytes); }

} // namespace maskjit
