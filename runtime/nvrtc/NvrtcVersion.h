// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The version of NVRTC without loading its 109 MB: a kernel that is on disk needs no more of it.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace maskjit {

/// `major.minor` of the NVRTC that Nvrtc::load finds, nothing if there is none. A note in `folder` (file `.nvrtc`)
/// remembers library, size, time and version; it holds while $MASKJIT_NVRTC is the same and that file is unchanged.
/// Otherwise the library is loaded and the note written anew. Another NVRTC that comes to stand before the noted one
/// in the search is seen when a kernel has to be compiled.
std::optional<std::string> nvrtcVersion(const std::filesystem::path &folder);

} // namespace maskjit
