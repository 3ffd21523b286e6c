// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is written is read back alike; a failed write leaves the old file and no other.
#include "TemporaryFolder.h"
#include "runtime/safetensors/Safetensors.h"
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace maskjit;
using testing::HasSubstr;

namespace {

class SafetensorsWrite : public testing::Test {
protected:
  size_t filesInFolder() const {
    return std::distance(std::filesystem::directory_iterator(folder.path), std::filesystem::directory_iterator());
  }
  std::string refusal(const std::map<std::string, TensorRecord> &tensors,
                      const std::map<std::string, std::string> &metadata = {}) {
    auto written = writeSafetensors(folder.file("t.safetensors"), tensors, metadata);
    return written ? "" : written.error().message;
  }
  const char bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  test::TemporaryFolder folder;
};

TEST_F(SafetensorsWrite, RoundTrip) {
  ASSERT_EQ(refusal({{"a", {"U8", {3}, bytes, 3}},
                     {"b", {"F32", {2, 1}, bytes, 8}},
                     {"c", {"BF16", {0, 7}, nullptr, 0}},
                     {"na\xc3\xafve \"\n", {"F64", {}, bytes, 8}}},
                    {{"format", "pt"}, {"k", "\xe2\x82\xac"}}),
            "");
  auto file = SafetensorsFile::open(folder.file("t.safetensors"));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 4u);
  EXPECT_EQ(file->metadata().at("k"), "\xe2\x82\xac");
  EXPECT_EQ(file->find("a")->bytes, 3u);
  EXPECT_EQ(file->find("b")->shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(std::memcmp(file->find("b")->data, bytes, 8), 0);
  EXPECT_EQ(file->find("c")->shape, (std::vector<int64_t>{0, 7}));
  EXPECT_EQ(file->find("na\xc3\xafve \"\n")->shape.size(), 0u);
}

TEST_F(SafetensorsWrite, DataIsAligned) {
  ASSERT_EQ(refusal({{"a", {"U8", {3}, bytes, 3}}, {"b", {"BF16", {1}, bytes, 2}}, {"c", {"F64", {1}, bytes, 8}}}), "");
  auto file = SafetensorsFile::open(folder.file("t.safetensors"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->find("b")->data) % 2, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->find("c")->data) % 8, 0u);
}

TEST_F(SafetensorsWrite, ReplacesTheOldFileAndLeavesReadersTheirs) {
  ASSERT_EQ(refusal({{"old", {"U8", {2}, bytes, 2}}}), "");
  auto old = SafetensorsFile::open(folder.file("t.safetensors"));
  ASSERT_EQ(refusal({{"new", {"U8", {4}, bytes, 4}}}), "");
  EXPECT_EQ(std::memcmp(old->find("old")->data, bytes, 2), 0);
  EXPECT_TRUE(SafetensorsFile::open(folder.file("t.safetensors"))->find("new"));
  EXPECT_EQ(filesInFolder(), 1u);
}

TEST_F(SafetensorsWrite, RefusesWhatAReaderWouldRefuse) {
  EXPECT_THAT(refusal({{"a", {"F33", {2}, bytes, 8}}}), HasSubstr("tensor \"a\": unknown dtype \"F33\""));
  EXPECT_THAT(refusal({{"a", {"F32", {2}, bytes, 7}}}),
              HasSubstr("tensor \"a\": its shape of F32 takes 8 bytes, 7 given"));
  EXPECT_THAT(refusal({{"a", {"F32", {-2}, bytes, 8}}}), HasSubstr("negative dimension"));
  EXPECT_THAT(refusal({{"a", {"F32", {2}, nullptr, 8}}}), HasSubstr("8 bytes, but no data"));
  EXPECT_THAT(refusal({{"__metadata__", {"F32", {2}, bytes, 8}}}), HasSubstr("cannot be called __metadata__"));
  EXPECT_THAT(refusal({{"\xff", {"F32", {2}, bytes, 8}}}), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal({}, {{"k", "\xff"}}), HasSubstr("not UTF-8"));
  EXPECT_EQ(filesInFolder(), 0u);
}

TEST_F(SafetensorsWrite, NamesTheFolderThatIsNotThere) {
  auto written = writeSafetensors(folder.file("absent/t.safetensors"), {});
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("No such file or directory"));
}

TEST_F(SafetensorsWrite, FailedRenameLeavesNoTemporaryFile) {
  std::filesystem::create_directory(folder.path / "t.safetensors"); // a folder is in the way
  EXPECT_THAT(refusal({{"a", {"U8", {2}, bytes, 2}}}), HasSubstr("cannot rename"));
  EXPECT_EQ(filesInFolder(), 1u);
}

} // namespace
