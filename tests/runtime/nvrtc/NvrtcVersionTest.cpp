// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The note of NVRTC's version holds for the file that it describes and for no other.
#include "runtime/nvrtc/NvrtcVersion.h"
#include "runtime/nvrtc/Nvrtc.h"
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace maskjit;
namespace fs = std::filesystem;

namespace {
struct NvrtcNote : testing::Test {
  fs::path folder = fs::temp_directory_path() / ("maskjit-nvrtc-note-" + std::to_string(getpid()));
  fs::path library = folder / "library";

  void SetUp() override {
    fs::create_directories(folder);
    std::ofstream(library) << "any bytes";
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string state() const {
    struct stat info;
    EXPECT_EQ(stat(library.c_str(), &info), 0);
    char text[64];
    std::snprintf(text, sizeof text, "%lld %lld.%09ld", static_cast<long long>(info.st_size),
                  static_cast<long long>(info.st_mtim.tv_sec), info.st_mtim.tv_nsec);
    return text;
  }
  void note(const std::string &state, const std::string &version, const std::string &end = "end") const {
    const char *choice = std::getenv("MASKJIT_NVRTC");
    std::ofstream(folder / ".nvrtc") << (choice ? choice : "") << '\n'
                                     << library.string() << '\n'
                                     << state << '\n'
                                     << version << '\n'
                                     << end << '\n';
  }
  /// What loading the library says.
  static std::optional<std::string> loaded() {
    const Result<Nvrtc> &nvrtc = Nvrtc::load();
    return nvrtc ? std::optional<std::string>(nvrtc->version()) : std::nullopt;
  }
};
} // namespace

TEST_F(NvrtcNote, IsTakenWhileItsFileIsUnchanged) {
  note(state(), "1.2");
  EXPECT_EQ(nvrtcVersion(folder), "1.2");
}

TEST_F(NvrtcNote, IsDroppedWhenItsFileChanged) {
  note(state(), "1.2");
  std::ofstream(library, std::ios::app) << "more";
  EXPECT_EQ(nvrtcVersion(folder), loaded());
}

TEST_F(NvrtcNote, IsDroppedWhenCutOff) {
  note(state(), "1.2", "en");
  EXPECT_EQ(nvrtcVersion(folder), loaded());
}

TEST_F(NvrtcNote, IsWrittenByALoad) {
  if (!loaded())
    GTEST_SKIP() << "no NVRTC (libnvrtc.so.13)";
  EXPECT_EQ(nvrtcVersion(folder), loaded());
  std::ifstream file(folder / ".nvrtc");
  std::string line, version;
  for (int i = 0; i < 4 && std::getline(file, line); ++i)
    version = line;
  EXPECT_EQ(version, loaded());
}
