// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole messages over pipes.
#include "rl/judge/runner/Channel.h"
#include "rl/judge/runner/Protocol.h"
#include <cerrno>
#include <unistd.h>

namespace maskjit::rl::protocol {

static bool readAll(char *to, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = read(kRequests, to, bytes);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    to += got;
    bytes -= size_t(got);
  }
  return true;
}

bool receiveRequest(std::string &message) {
  uint64_t length;
  if (!readAll(reinterpret_cast<char *>(&length), sizeof length))
    return false;
  message.resize(length);
  return readAll(message.data(), length);
}

void reply(char tag, const void *data, size_t size) {
  uint64_t length = size + 1;
  std::string message(reinterpret_cast<const char *>(&length), sizeof length);
  message += tag;
  message.append(static_cast<const char *>(data), size);
  for (size_t sent = 0; sent < message.size();) {
    ssize_t put = write(kReplies, message.data() + sent, message.size() - sent);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      _exit(1);
    sent += size_t(put);
  }
}

} // namespace maskjit::rl::protocol
