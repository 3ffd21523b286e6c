// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program `maskjit run`: files in, files out, messages and exit codes.
#include "runtime/safetensors/Safetensors.h"
#include "tests/runtime/safetensors/TemporaryFolder.h"
#include <cmath>
#include <cstdio>
#include <cstring>
#include <gmock/gmock.h>
#include <sys/wait.h>

namespace maskjit::test {
namespace {

using testing::HasSubstr;

struct Outcome {
  int code;
  std::string text; // stdout and stderr
};
Outcome maskjit(const std::string &arguments) {
  FILE *pipe = popen((std::string(MASKJIT_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    text.append(buffer, got);
  return {WEXITSTATUS(pclose(pipe)), text};
}

/// A fixture's tensors, to which parameters are added before they are written.
struct Inputs {
  explicit Inputs(const std::string &fixture)
      : file(*SafetensorsFile::open(MASKJIT_FIXTURES "/attention/" + fixture + ".safetensors")) {
    for (const char *name : {"q", "k", "v", "sinks", "dout"})
      if (const TensorRecord *tensor = file.find(name))
        tensors[name] = *tensor;
  }
  void add(const std::string &name, const std::string &dtype, std::vector<int64_t> shape, const void *data,
           size_t bytes) {
    tensors[name] = {dtype, std::move(shape), data, bytes};
  }
  std::string write(const TemporaryFolder &folder) const {
    const std::string path = folder.file("in.safetensors");
    EXPECT_TRUE(writeSafetensors(path, tensors));
    return path;
  }
  SafetensorsFile file;
  std::map<std::string, TensorRecord> tensors;
};

double worstError(const TensorRecord &got, const TensorRecord &want) {
  EXPECT_EQ(got.dtype, "F32");
  EXPECT_EQ(got.shape, want.shape);
  double worst = 0;
  for (size_t i = 0; i < want.bytes / 4; ++i) {
    float g, w;
    std::memcpy(&g, static_cast<const char *>(got.data) + 4 * i, 4);
    std::memcpy(&w, static_cast<const char *>(want.data) + 4 * i, 4);
    if (g != w) // equal infinities are no difference
      worst = std::max(worst, double(std::fabs(g - w) / (1 + std::fabs(w))));
  }
  return worst;
}

struct Run : testing::Test {
  std::string out() const { return folder.file("out.safetensors"); }
  void expectFixture(const Inputs &inputs) {
    auto results = SafetensorsFile::open(out());
    ASSERT_TRUE(results) << results.error().message;
    for (const char *name : {"out", "lse", "dq", "dk", "dv", "dsinks"}) {
      if (std::string(name) == "dsinks" && !inputs.tensors.count("sinks"))
        continue;
      ASSERT_TRUE(results->find(name)) << name;
      EXPECT_LE(worstError(*results->find(name), *inputs.file.find(name)), 2e-6) << name;
    }
  }
  TemporaryFolder folder;
};

TEST_F(Run, ScalarsOfAllKindsMatchTheFixture) {
  Inputs inputs("left_pad_window16");
  const int64_t pads[] = {0, 9, 20};
  const uint8_t window = 16;
  inputs.add("left_pad", "I64", {3}, pads, sizeof pads);
  inputs.add("window", "U8", {}, &window, 1);
  const Outcome run =
      maskjit("run gpt_oss_sliding --backward --dtype f32 --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_EQ(run.text, "");
  expectFixture(inputs);
}

TEST_F(Run, ScaleIsAnOption) {
  Inputs inputs("causal_scale");
  const Outcome run =
      maskjit("run causal --scale 0.2 --backward --dtype f32 --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  expectFixture(inputs);
}

TEST_F(Run, DocumentsAsRunLengthsOrAsNumbers) {
  Inputs inputs("packed");
  const int32_t lengths[] = {20, 13, 27, 5};
  inputs.add("documents", "I32", {1, 4}, lengths, sizeof lengths);
  Outcome run =
      maskjit("run packed_documents --backward --dtype f32 --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  expectFixture(inputs);

  std::vector<int32_t> numbers;
  for (int i = 0; i < 4; ++i)
    numbers.insert(numbers.end(), lengths[i], i);
  inputs.add("documents", "I32", {65}, numbers.data(), numbers.size() * 4);
  run = maskjit("run packed_documents --backward --dtype f32 --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  expectFixture(inputs);
}

TEST_F(Run, KeepsTheDtypeOfTheInputs) {
  Inputs inputs("causal_d32");
  const Outcome run = maskjit("run causal --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  auto results = SafetensorsFile::open(out());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ(results->find("out")->dtype, "BF16");
  EXPECT_EQ(results->find("lse")->dtype, "F32");
  EXPECT_FALSE(results->find("dq"));
}

TEST_F(Run, NamesTheParameterThatIsMissing) {
  folder.write("reach.mask", "mask reach(q, k; reach: int 1..100) = 0 <= q - k < reach\n");
  Inputs inputs("causal_d32");
  const Outcome run =
      maskjit("run " + folder.file("reach.mask") + " --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.text, HasSubstr("mask 'reach' needs a tensor 'reach'"));
}

TEST_F(Run, RefusesValuesOutOfRange) {
  Inputs inputs("causal_d32");
  const int64_t window = int64_t(1) << 40;
  inputs.add("window", "I64", {}, &window, sizeof window);
  const Outcome run = maskjit("run sliding_window --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.text, HasSubstr("'window' must lie in 1..268435456, got 1099511627776"));
}

TEST_F(Run, RefusesShapesThatDoNotFit) {
  Inputs inputs("causal_d32");
  inputs.tensors["v"].shape = {2, 2, 32, 17};
  const Outcome run = maskjit("run causal --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.text, HasSubstr("v must be [2, 2, 17, 32], got [2, 2, 32, 17]"));
}

TEST_F(Run, SaysWhatItDidNotRead) {
  Inputs inputs("causal_d32");
  const int32_t value = 3;
  inputs.add("windw", "I32", {}, &value, sizeof value);
  const Outcome run = maskjit("run sliding_window --inputs " + inputs.write(folder) + " --out " + out());
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_THAT(run.text, HasSubstr("not read: dout, windw"));
}

TEST(Program, WrongCommandLinesEndInTwo) {
  EXPECT_EQ(maskjit("").code, 2);
  EXPECT_EQ(maskjit("run causal").code, 2);
  EXPECT_EQ(maskjit("run causal --inputs a --out b --target tpu").code, 2);
  EXPECT_EQ(maskjit("run --help").code, 0);
  EXPECT_EQ(maskjit("--version").code, 0);
}

} // namespace
} // namespace maskjit::test
