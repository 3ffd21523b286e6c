// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hand-made files, good and hostile: what a reader accepts, and the message for each way to be wrong.
#include "TemporaryFolder.h"
#include "runtime/safetensors/Safetensors.h"
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

using namespace maskjit;
using testing::HasSubstr;

namespace {

std::string frame(std::string_view header, std::string_view data, uint64_t length) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(length >> 8 * i);
  return bytes.append(header).append(data);
}
std::string frame(std::string_view header, std::string_view data) { return frame(header, data, header.size()); }

class SafetensorsRead : public testing::Test {
protected:
  /// The message that opening `bytes` gives, which must start with the file's path; empty if it opens.
  std::string refusal(std::string_view bytes) {
    const std::string path = folder.write("t.safetensors", bytes);
    auto file = SafetensorsFile::open(path);
    if (file)
      return {};
    EXPECT_EQ(file.error().message.rfind(path + ": ", 0), 0u) << file.error().message;
    return file.error().message.substr(path.size() + 2);
  }
  std::string refusalOfHeader(std::string_view header, size_t dataBytes = 8) {
    return refusal(frame(header, std::string(dataBytes, 'x')));
  }
  test::TemporaryFolder folder;
};

TEST_F(SafetensorsRead, TensorsAndMetadata) {
  const float values[2] = {1.5f, -2};
  std::string data(reinterpret_cast<const char *>(values), 8);
  data += "abc";
  auto file = SafetensorsFile::open(
      folder.write("t.safetensors",
                   frame(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3,1],"data_offsets":[8,11]},)"
                         R"("a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"},)"
                         R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[8,8]}}   )",
                         data)));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->metadata().at("format"), "pt");
  const TensorRecord *a = file->find("a"), *b = file->find("b"), *none = file->find("none");
  ASSERT_TRUE(a && b && none);
  EXPECT_EQ(a->dtype, "F32");
  EXPECT_EQ(std::memcmp(a->data, values, 8), 0);
  EXPECT_EQ(b->shape, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(std::string_view(static_cast<const char *>(b->data), b->bytes), "abc");
  EXPECT_EQ(none->bytes, 0u);
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST_F(SafetensorsRead, ScalarAndEmptyFile) {
  EXPECT_EQ(refusal(frame(R"({"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}})", std::string(8, 'x'))), "");
  EXPECT_EQ(refusal(frame("{}", "")), "");
}

TEST_F(SafetensorsRead, DataOutlivesTheFileObjectItWasCopiedFrom) {
  const std::string path =
      folder.write("t.safetensors", frame(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "hi"));
  auto copy = [&] { return *SafetensorsFile::open(path); }();
  EXPECT_EQ(std::memcmp(copy.find("a")->data, "hi", 2), 0);
}

TEST_F(SafetensorsRead, RefusesWhatIsNoFile) {
  EXPECT_THAT(SafetensorsFile::open(folder.file("absent")).error().message, HasSubstr("cannot open"));
  EXPECT_THAT(SafetensorsFile::open(folder.path.string()).error().message, HasSubstr("not a regular file"));
}

TEST_F(SafetensorsRead, RefusesBadFrames) {
  EXPECT_THAT(refusal(""), HasSubstr("has 0 bytes"));
  EXPECT_THAT(refusal("1234567"), HasSubstr("has 7 bytes"));
  EXPECT_THAT(refusal(frame("{}", "", 100'000'001)), HasSubstr("header of 100000001 bytes, the limit is 100000000"));
  EXPECT_THAT(refusal(frame("{}", "", UINT64_MAX)), HasSubstr("header of 18446744073709551615 bytes"));
  EXPECT_THAT(refusal(frame("{}", "", 3)), HasSubstr("header of 3 bytes, only 2 follow: the file is cut off"));
}

TEST_F(SafetensorsRead, RefusesWhatIsNotJson) {
  EXPECT_THAT(refusalOfHeader(""), HasSubstr("not JSON"));
  EXPECT_THAT(refusalOfHeader("{\"a\":"), HasSubstr("not JSON at byte"));
  EXPECT_THAT(refusalOfHeader("{} {}"), HasSubstr("not JSON at byte"));
  EXPECT_THAT(refusalOfHeader("{\"a\xff\":1}"), HasSubstr("not UTF-8 at byte 4"));
  EXPECT_THAT(refusalOfHeader("[]"), HasSubstr("the header is an array, expected a JSON object"));
  EXPECT_THAT(refusalOfHeader("3"), HasSubstr("the header is 3, expected a JSON object"));
  EXPECT_THAT(refusalOfHeader(std::string(1'000'000, '[')), HasSubstr("the header is an array"));
}

TEST_F(SafetensorsRead, RefusesBadFields) {
  EXPECT_THAT(refusalOfHeader(R"({"a":7})"), HasSubstr("tensor \"a\" is 7, expected an object"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{}})"), HasSubstr("tensor \"a\" has no dtype"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32"}})"), HasSubstr("tensor \"a\" has no shape"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2]}})"), HasSubstr("tensor \"a\" has no data_offsets"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":null,"shape":[2],"data_offsets":[0,8]}})"), HasSubstr("dtype is null"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})"),
              HasSubstr("tensor \"a\": unknown dtype \"F31\", expected one of BOOL, U8"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})"), HasSubstr("shape has 2"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"), HasSubstr("shape has -2"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})"),
              HasSubstr("shape has 2.0"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})"),
              HasSubstr("shape has an array"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}})"),
              HasSubstr("data_offsets has 1 integers"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}})"),
              HasSubstr("more than two integers"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}})"),
              HasSubstr("data_offsets has 99999999999999999999"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})"),
              HasSubstr("unknown field \"x\""));
  EXPECT_THAT(refusalOfHeader(R"({"__metadata__":{"a":1}})"), HasSubstr("__metadata__ \"a\" is 1, expected a string"));
  EXPECT_THAT(refusalOfHeader(R"({"__metadata__":"a"})"),
              HasSubstr("__metadata__ is \"a\", expected an object of strings"));
}

TEST_F(SafetensorsRead, RefusesDuplicates) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_THAT(refusalOfHeader("{" + a + "," + a + "}"), HasSubstr("tensor \"a\" occurs twice"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
              HasSubstr("tensor \"a\": dtype occurs twice"));
  EXPECT_THAT(refusalOfHeader(R"({"__metadata__":{"k":"1","k":"2"}})"), HasSubstr("__metadata__ \"k\" occurs twice"));
  EXPECT_THAT(refusalOfHeader(R"({"__metadata__":{},"__metadata__":{}})"), HasSubstr("__metadata__ occurs twice"));
}

TEST_F(SafetensorsRead, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
              HasSubstr("tensor \"a\": shape [3] of F32 takes 12 bytes, data_offsets [0, 8] span 8"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
              HasSubstr("tensor \"a\" ends at byte 16 of the data, the file holds 8"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"), HasSubstr("run backwards"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})"),
              HasSubstr("does not fill whole bytes"));
  // 2^62 * 8 elements: the product wraps to 0 in 64 bits, as an attacker would like.
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[4611686018427387904,8],"data_offsets":[0,0]}})"),
              HasSubstr("more than 2^63 - 1 elements"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[0,4611686018427387904,8],"data_offsets":[0,0]}})"),
              HasSubstr("more than 2^63 - 1 elements"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})"),
              HasSubstr("more than 2^63 - 1 bits"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}})"),
              HasSubstr("shape has 9223372036854775808"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[18446744073709551608,0]}})"),
              HasSubstr("run backwards"));
  std::string ones = "1";
  for (int i = 0; i < 64; ++i)
    ones += ",1";
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[)" + ones + R"(],"data_offsets":[0,1]}})"),
              HasSubstr("more than 64 dimensions"));
}

TEST_F(SafetensorsRead, RefusesOverlapsAndHoles) {
  auto two = [&](const char *first, const char *second) {
    return refusalOfHeader(std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)") + first +
                           R"(]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)" + second + "]}}");
  };
  EXPECT_EQ(two("0,4", "4,8"), "");
  EXPECT_EQ(two("4,8", "0,4"), "");
  EXPECT_THAT(two("0,4", "3,7"), HasSubstr("tensors \"a\" and \"b\" overlap: the second starts at byte 3"));
  EXPECT_THAT(two("0,4", "0,4"), HasSubstr("overlap"));
  EXPECT_THAT(two("1,5", "5,9"), HasSubstr("ends at byte 9 of the data, the file holds 8"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("bytes 0 to 4 of the data, before tensor \"a\", belong to no tensor"));
  EXPECT_THAT(refusalOfHeader(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"),
              HasSubstr("the last 4 bytes of the file belong to no tensor"));
}

TEST_F(SafetensorsRead, MessagesAreTextWhateverTheNameHolds) {
  const std::string message = refusalOfHeader(R"({"a\u0000\n\u001b":7})");
  EXPECT_THAT(message, HasSubstr(R"("a\u0000\n\u001b")"));
  EXPECT_LT(refusalOfHeader("{\"" + std::string(1'000'000, 'n') + "\":7}").size(), 1000u);
}

TEST_F(SafetensorsRead, EveryMutationEndsInAResultOrAMessage) {
  const std::string good = frame(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                                 R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
                                 "12345678901");
  ASSERT_EQ(refusal(good), "");
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_NE(refusal(good.substr(0, cut)), "") << "cut at " << cut;
  constexpr uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 1500; ++i) {
    std::string bytes = good;
    for (int n = random() % 3; n >= 0; --n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    auto file = SafetensorsFile::open(folder.write("t.safetensors", bytes));
    if (!file)
      continue;
    for (const auto &[name, record] : file->tensors()) // the data that it promises can be read
      if (record.bytes) {
        const char *data = static_cast<const char *>(record.data);
        ASSERT_EQ(std::string(data, record.bytes).size(), record.bytes) << "seed " << kSeed << ", mutation " << i;
      }
  }
}

TEST_F(SafetensorsRead, Fixtures) {
  auto file = SafetensorsFile::open(MASKJIT_FIXTURES "/attention/causal_d32.safetensors");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->find("q"));
  EXPECT_EQ(file->find("q")->dtype, "BF16");
  EXPECT_EQ(file->find("q")->shape.size(), 4u);
}

} // namespace
