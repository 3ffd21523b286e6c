// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The commands generate and logits as a user calls them: files, output, messages.
#include "model/tools/Commands.h"
#include "model/Checkpoint.h"
#include "model/Generate.h"
#include "model/JsonFields.h"
#include "model/Tokenizer.h"
#include "tests/model/GptOssFixture.h"
#include <CLI/CLI.hpp>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

/// Runs `maskjit-rl` with these arguments; what it wrote to standard output.
std::string run(std::vector<std::string> arguments) {
  CLI::App app;
  app.require_subcommand(1);
  addGenerateCommand(app);
  addLogitsCommand(app);
  addDiffCommand(app);
  addQuantizeCommand(app);
  const bool generates = arguments.at(0) == "generate";
  std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the end
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    testing::internal::GetCapturedStderr();
    throw;
  }
  const std::string notes = testing::internal::GetCapturedStderr();
  EXPECT_EQ(notes.find("tokens/s") != std::string::npos, generates) << notes;
  return testing::internal::GetCapturedStdout();
}

const std::string kModel = fixture("gpt-oss-tiny-bf16");

void writeTensors(const std::string &file, const std::map<std::string, at::Tensor> &tensors) {
  std::map<std::string, TensorRecord> records;
  for (auto &[name, tensor] : tensors)
    records[name] = recordOf(tensor);
  Result<void> written = writeSafetensors(file, records);
  ASSERT_TRUE(written) << written.error().message;
}

TEST(LogitsCommand, WritesTheLogitsOfTransformers) {
  at::set_num_threads(1);
  const TensorFile golden("golden/gpt-oss-tiny-bf16/logits.safetensors");
  TemporaryFolder folder;
  const std::string in = folder.path + "/in.safetensors", out = folder.path + "/out.safetensors";
  const auto check = [&](const std::string &name, const std::map<std::string, at::Tensor> &inputs,
                         const at::Tensor &mask) {
    writeTensors(in, inputs);
    run({"logits", "--model", kModel, "--inputs", in, "--out", out});
    Result<SafetensorsFile> file = SafetensorsFile::open(out);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_LT(maxError(tensorOf(*file->find("logits")), golden[name + ".logits"], mask), 2e-4) << name;
  };
  const at::Tensor mask = golden["left.attention_mask"];
  check("left", {{"input_ids", golden["left.input_ids"]}, {"attention_mask", mask}}, mask);
  check("packed", {{"input_ids", golden["packed.input_ids"]}, {"document_ids", golden["packed.document_ids"]}}, {});
}

TEST(LogitsCommand, RefusesFilesThatDoNotFit) {
  TemporaryFolder folder;
  const std::string in = folder.path + "/in.safetensors";
  const auto message = [&](const std::map<std::string, at::Tensor> &inputs) {
    writeTensors(in, inputs);
    return messageOf([&] { run({"logits", "--model", kModel, "--inputs", in, "--out", folder.path + "/out"}); });
  };
  EXPECT_THAT(message({{"input_idz", at::zeros({1, 2}, at::kLong)}}),
              HasSubstr("input_idz: expected input_ids, attention_mask, position_ids or document_ids"));
  EXPECT_THAT(message({{"input_ids", at::zeros({1, 2})}}), HasSubstr("input_ids: expected I64, I32 or BOOL, got F32"));
  EXPECT_THAT(message({{"attention_mask", at::ones({1, 2}, at::kLong)}}), HasSubstr("holds no input_ids"));
}

TEST(DiffCommand, FindsWhereModelsPart) {
  at::set_num_threads(1);
  const std::string same = run({"diff", kModel, kModel, "--tokens", "30"});
  EXPECT_EQ(same.find("differ"), std::string::npos) << same;
  EXPECT_THAT(same, HasSubstr("    3  experts    equal   equal       0.000e+00      0.000e+00"));
  EXPECT_THAT(same, HasSubstr("    -  head       equal   equal       0.000e+00      0.000e+00     100.00 %"));
  const std::string parted = run({"diff", kModel, kModel, "--prompt", "The answer", "--nf4-b", "attention"});
  EXPECT_THAT(parted, HasSubstr("equal inputs give other outputs first in layer 0, attention"));
  const std::string mxfp4 = fixture("gpt-oss-tiny-mxfp4"); // dequantized and packed weights are the same numbers
  EXPECT_EQ(run({"diff", mxfp4, mxfp4, "--dense-a", "--tokens", "30"}).find("differ"), std::string::npos);
  EXPECT_THAT(messageOf([] { run({"diff", kModel, fixture("gpt-oss-tiny-nf4")}); }),
              HasSubstr("4 and 2 layers, 128 and 128 hidden features, 512 and 512 tokens; expected the same"));
}

TEST(QuantizeCommand, WritesACheckpointThatGenerates) {
  at::set_num_threads(1);
  TemporaryFolder folder;
  run({"quantize", "--model", kModel, "--out", folder.path, "--experts", "nf4"});
  EXPECT_NE(run({"generate", "--model", folder.path, "--prompt", "a", "--max-new-tokens", "4"}), "");
}

TEST(GenerateCommand, WritesTheGreedyTextOfEachPrompt) {
  at::set_num_threads(1);
  const auto tokenizer = Tokenizer::load(kModel);
  const std::string prompt = "The answer is";
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.maxNewTokens = 8;
  const std::vector<Generation> want =
      generate(*loadFixture("gpt-oss-tiny-bf16"), {tokenizer->encode(prompt), tokenizer->encode("12 + 30 =")}, options);
  const std::string first = tokenizer->decode(want[0].tokens, true), second = tokenizer->decode(want[1].tokens, true);
  const std::vector<std::string> common = {"generate", "--model",          kModel, "--temperature",
                                           "0",        "--max-new-tokens", "8"};
  std::vector<std::string> one = common;
  one.insert(one.end(), {"--prompt", prompt});
  EXPECT_EQ(run(one), first + "\n");
  TemporaryFolder folder;
  const std::string file = folder.path + "/prompts.jsonl";
  writeTextFile(file, "{\"prompt\": \"The answer is\"}\n\n{\"prompt\": \"12 + 30 =\"}\n");
  std::vector<std::string> two = common;
  two.insert(two.end(), {"--prompts", file});
  EXPECT_EQ(run(two), "--- The answer is\n" + first + "\n--- 12 + 30 =\n" + second + "\n");
}

TEST(GenerateCommand, SlotsChangeNothing) {
  const auto draw = [](const std::string &slots) {
    TemporaryFolder folder;
    writeTextFile(folder.path + "/prompts", "one\ntwo\nthree\n");
    return run({"generate", "--model", kModel, "--prompts", folder.path + "/prompts", "--max-new-tokens", "6",
                "--slots", slots, "--ignore-stops"});
  };
  EXPECT_EQ(draw("1"), draw("3"));
}

TEST(GenerateCommand, TheSeedDecidesWhatIsDrawn) {
  const auto draw = [](const std::string &seed) {
    return run({"generate", "--model", kModel, "--prompt", "a", "--max-new-tokens", "12", "--seed", seed});
  };
  EXPECT_EQ(draw("1"), draw("1"));
  EXPECT_NE(draw("1"), draw("2"));
}

TEST(GenerateCommand, AppliesTheAdapter) {
  const std::vector<std::string> plain = {"generate", "--model",          kModel, "--prompt", "a b", "--temperature",
                                          "0",        "--max-new-tokens", "12"};
  std::vector<std::string> adapted = plain;
  adapted.insert(adapted.end(), {"--adapter", fixture("lora")});
  EXPECT_NE(run(plain), run(adapted));
}

TEST(GenerateCommand, RefusesWhatDoesNotFit) {
  const auto message = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"generate", "--model", kModel});
    return messageOf([&] { run(arguments); });
  };
  EXPECT_THAT(message({}), HasSubstr("there is no prompt; give --prompt TEXT or --prompts FILE"));
  EXPECT_THAT(message({"--prompt", "a", "--top-p", "0"}),
              HasSubstr("top_p: expected a number above 0 and up to 1, got 0"));
  EXPECT_THAT(message({"--prompt", "a", "--dtype", "bfloat16"}), HasSubstr("float32 on the CPU"));
  EXPECT_THAT(message({"--prompt", "a", "--device", "tpu"}), HasSubstr("tpu"));
  EXPECT_THAT(message({"--prompts", "/nowhere"}), HasSubstr("/nowhere: cannot be read"));
}

} // namespace
} // namespace maskjit
