// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The four invariants of DiskCache.h.
#include "runtime/cache/DiskCache.h"
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace maskjit;
namespace fs = std::filesystem;

class DiskCacheTest : public testing::Test {
protected:
  fs::path folder = fs::path(testing::TempDir()) / ("maskjit-cache-" + std::to_string(getpid()));
  void TearDown() override { fs::remove_all(folder); }

  fs::path onlyFile() const {
    for (const fs::directory_entry &each : fs::directory_iterator(folder))
      return each.path();
    return {};
  }
  static std::string valueOf(int seed) { return std::string(20000 + seed, static_cast<char>('a' + seed % 26)); }
};

TEST_F(DiskCacheTest, ReturnsWhatWasStored) {
  const DiskCache cache(folder);
  EXPECT_FALSE(cache.find("k"));
  const std::string value("\0binary\n\xff", 9);
  ASSERT_TRUE(cache.store("k", value));
  EXPECT_EQ(cache.find("k"), value);
  ASSERT_TRUE(cache.store("k", ""));
  EXPECT_EQ(cache.find("k"), "");
  EXPECT_EQ(cache.list().size(), 1u);
}

TEST_F(DiskCacheTest, DropsAFileWithAnyByteChanged) {
  const DiskCache cache(folder);
  ASSERT_TRUE(cache.store("k", "some machine code"));
  const fs::path file = onlyFile();
  const auto size = fs::file_size(file);
  for (uintmax_t at = 0; at < size; ++at) {
    ASSERT_TRUE(cache.store("k", "some machine code"));
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const int byte = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(byte ^ 0x10));
    stream.close();
    EXPECT_FALSE(cache.find("k")) << "byte " << at;
    EXPECT_FALSE(fs::exists(file)) << "byte " << at;
  }
}

TEST_F(DiskCacheTest, DropsATruncatedFile) {
  const DiskCache cache(folder);
  ASSERT_TRUE(cache.store("k", "some machine code"));
  const auto size = fs::file_size(onlyFile());
  for (uintmax_t length = 0; length < size; ++length) {
    ASSERT_TRUE(cache.store("k", "some machine code"));
    fs::resize_file(onlyFile(), length);
    EXPECT_FALSE(cache.find("k")) << length;
  }
}

TEST_F(DiskCacheTest, DropsAFileUnderAnothersName) {
  const DiskCache cache(folder);
  ASSERT_TRUE(cache.store("sm_80", "code for sm_80"));
  fs::rename(onlyFile(), folder / "sm_90a.kernel");
  EXPECT_FALSE(cache.find("sm_90a"));
}

TEST_F(DiskCacheTest, FindsByPrefix) {
  const DiskCache cache(folder);
  ASSERT_TRUE(cache.store("aa.nvrtc-12.9", "old"));
  ASSERT_TRUE(cache.store("ab.nvrtc-13.0", "other"));
  EXPECT_EQ(cache.findPrefix("aa.nvrtc-"), "old");
  EXPECT_FALSE(cache.findPrefix("ac.nvrtc-"));
}

// What a reader sees while writers race is always one of the values, whole.
TEST_F(DiskCacheTest, ProcessesThatWriteTheSameKeyLeaveAWholeValue) {
  constexpr int kWriters = 4, kRounds = 50;
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const DiskCache cache(folder);
      bool ok = true;
      for (int round = 0; round < kRounds; ++round) {
        ok &= static_cast<bool>(cache.store("shared", valueOf(writer)));
        const std::optional<std::string> seen = cache.find("shared");
        ok &= seen && *seen == valueOf(static_cast<int>(seen->size()) - 20000);
      }
      _exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const DiskCache cache(folder);
  EXPECT_TRUE(cache.find("shared"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "temporary files are left";
}

// A writer that dies leaves nothing under the key's name.
TEST_F(DiskCacheTest, AKilledWriterLeavesNoBrokenEntry) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const DiskCache cache(folder);
    for (;;)
      (void)cache.store("k", std::string(1 << 20, 'x'));
  }
  usleep(200000);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const DiskCache cache(folder);
  for (const DiskCache::Entry &entry : cache.list())
    EXPECT_EQ(cache.find(entry.key), std::string(1 << 20, 'x'));
}

TEST_F(DiskCacheTest, EvictsWhatWasUsedLongestAgo) {
  const DiskCache cache(folder, /*limit=*/25000);
  auto age = [&](const char *key, int hours) {
    const timespec then{std::time(nullptr) - hours * 3600, 0}, times[2] = {then, then};
    utimensat(AT_FDCWD, (folder / (std::string(key) + ".kernel")).c_str(), times, 0);
  };
  ASSERT_TRUE(cache.store("old", std::string(10000, 'x')));
  ASSERT_TRUE(cache.store("used", std::string(10000, 'x')));
  age("old", 5);
  age("used", 9);
  EXPECT_TRUE(cache.find("used")); // a hit makes it the younger one
  ASSERT_TRUE(cache.store("new", std::string(10000, 'x')));
  EXPECT_FALSE(cache.find("old"));
  EXPECT_TRUE(cache.find("used"));
  EXPECT_TRUE(cache.find("new"));
}

TEST_F(DiskCacheTest, SaysWhichFolderCannotBeWritten) {
  std::ofstream(folder.string() + "-file").put('x');
  const DiskCache cache(folder.string() + "-file/kernels");
  const Result<void> stored = cache.store("k", "v");
  ASSERT_FALSE(stored);
  EXPECT_THAT(stored.error().message, testing::HasSubstr("-file/kernels"));
  EXPECT_THAT(stored.error().message, testing::HasSubstr("set MASKJIT_CACHE_DIR"));
  fs::remove(folder.string() + "-file");
}

TEST_F(DiskCacheTest, FolderOfTheUser) {
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  unsetenv("MASKJIT_CACHE_DIR");
  EXPECT_EQ(DiskCache::ofUser().path(), "/xdg/maskjit/kernels");
  setenv("MASKJIT_CACHE_DIR", "/own", 1);
  EXPECT_EQ(DiskCache::ofUser().path(), "/own/kernels");
  unsetenv("MASKJIT_CACHE_DIR");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(DiskCache::ofUser().path(), "/home/someone/.cache/maskjit/kernels");
}
