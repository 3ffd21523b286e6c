// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ids of text and special tokens in turn.
#include "model/tokenizer/SpecialTokens.h"
#include <fmt/format.h>
#include <stdexcept>

namespace maskjit {

void IdSink::special(const std::string &token) {
  const int64_t id = tokenizer.tokenId(token);
  if (!tokenizer.isSpecial(id))
    throw std::runtime_error(fmt::format("the tokenizer has no special token {}, which a chat needs", token));
  result.push_back(id);
}

void IdSink::text(const std::string &text) {
  const std::vector<int64_t> ids = tokenizer.encode(text, /*specials=*/false);
  result.insert(result.end(), ids.begin(), ids.end());
}

} // namespace maskjit
