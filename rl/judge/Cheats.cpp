// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheats in words.
#include "rl/judge/Cheats.h"

namespace maskjit::rl {

static const char *const kWords[kLastCheat + 1] = {
    "none",
    "a library that multiplies matrices",
    "importlib",
    "__import__ or builtins",
    "a library through the loader",
    "execution of encoded source",
    "a process of its own",
    "a scan of the heap",
    "a look at the caller's frame",
    "globals of __main__",
    "files, sockets or /proc",
    "a patched clock",
    "work before the clock",
    "work in the background",
    "a lazy sequence",
    "an asynchronous result",
    "signals",
    "a stream or event of its own",
    "calls served together",
    "a memoised result",
    "hidden state",
    "another answer by size or call",
    "a constant or empty result",
    "changed inputs",
    "a stale buffer",
    "the remains of a failed launch",
    "lower precision",
    "a wrong shape or an input returned",
    "overridden operators",
    "raising quickly",
    "falling back to a reference",
    "a decoy definition",
    "code in the analysis channel",
    "reward text",
};

const char *describeCheat(int number) { return number >= 0 && number <= kLastCheat ? kWords[number] : "unknown"; }

} // namespace maskjit::rl
