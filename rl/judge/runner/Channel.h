// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The worker's end of the judge's channel: messages of an 8-byte length and that many bytes.
#pragma once
#include <string>

namespace maskjit::rl::protocol {

/// The next request; false: the judge has no more.
bool receiveRequest(std::string &message);
/// `tag` and `size` bytes. Ends the process if nobody listens.
void reply(char tag, const void *data, size_t size);
inline void reply(char tag, const std::string &text) { reply(tag, text.data(), text.size()); }

} // namespace maskjit::rl::protocol
