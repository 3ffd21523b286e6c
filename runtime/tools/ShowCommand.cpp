// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit show MASK`: the mask as a grid with its tiles, or its IR.
#include "compiler/interpreter/ShowMask.h"
#include "runtime/tools/Commands.h"
#include <charconv>
#include <cstdio>
#include <fmt/format.h>

namespace maskjit {

namespace {
struct ShowArguments {
  std::string mask, tile = "8x8", emit = "grid";
  std::vector<std::string> params;
  ShowOptions options;
};
} // namespace

static int fail(const std::string &message) {
  fmt::print(stderr, "{}\n", message);
  return 1;
}

/// `name=1` or `name=0,0,1,1`
static Result<void> readParam(const std::string &text, std::map<std::string, std::vector<double>> &params) {
  const size_t equals = text.find('=');
  const Error malformed{fmt::format("expected --param name=number[,number...], got '{}'", text)};
  if (equals == std::string::npos || equals == 0)
    return malformed;
  std::vector<double> &numbers = params[text.substr(0, equals)];
  if (!numbers.empty())
    return Error{fmt::format("parameter '{}' is given twice", text.substr(0, equals))};
  const char *at = text.data() + equals + 1, *end = text.data() + text.size();
  for (;;) {
    double number = 0;
    const auto [stop, code] = std::from_chars(at, end, number);
    if (code != std::errc())
      return malformed;
    numbers.push_back(number);
    if (stop == end)
      return {};
    if (*stop != ',')
      return malformed;
    at = stop + 1;
  }
}

/// Finds the mask; a parameter that it declares static is folded, as if it stood in the reference's braces.
static Result<Mask> findMask(const std::string &reference, std::map<std::string, std::vector<double>> &params) {
  Result<Mask> mask = Mask::find(reference);
  if (!mask || reference.find('{') != std::string::npos)
    return mask;
  std::string statics;
  for (auto param = params.begin(); param != params.end();) {
    const auto &[name, numbers] = *param;
    bool known = false;
    for (const ParamInfo &info : mask->params())
      known |= info.name == name;
    if (known || numbers.size() != 1) {
      ++param;
      continue;
    }
    statics += fmt::format("{}{}={}", statics.empty() ? "" : ",", name, numbers[0]);
    param = params.erase(param);
  }
  return statics.empty() ? mask : Mask::find(fmt::format("{}{{{}}}", reference, statics));
}

static int show(ShowArguments &arguments) {
  ShowOptions &options = arguments.options;
  for (const std::string &param : arguments.params)
    if (Result<void> read = readParam(param, options.params); !read)
      return fail(read.error().message);
  const std::string &tile = arguments.tile;
  const size_t cross = tile.find('x');
  auto side = [&](size_t begin, size_t end, int64_t &value) {
    const auto [stop, code] = std::from_chars(tile.data() + begin, tile.data() + end, value);
    return code == std::errc() && stop == tile.data() + end;
  };
  if (cross == std::string::npos || !side(0, cross, options.tileQueries) ||
      !side(cross + 1, tile.size(), options.tileKeys))
    return fail(fmt::format("expected --tile QUERIESxKEYS, as 16x16, got '{}'", tile));
  Result<Mask> mask = findMask(arguments.mask, options.params);
  if (!mask)
    return fail(mask.error().message);
  if (arguments.emit != "grid") {
    fmt::print("{}", mask->ir(arguments.emit == "derived"));
    return 0;
  }
  Result<std::string> text = showMask(*mask, options);
  if (!text)
    return fail(text.error().message);
  fmt::print("{}", *text);
  return 0;
}

void addShowCommand(CLI::App &app, Action &action) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App *command = app.add_subcommand("show", "draw a mask: which keys each query attends, and its tiles");
  command->add_option("mask", arguments->mask, "a shipped mask, FILE.mask or FILE.mask:NAME, with {static=value,...}")
      ->required();
  command->add_option("--queries", arguments->options.queries, "rows of the grid")->capture_default_str();
  command->add_option("--keys", arguments->options.keys, "columns of the grid")->capture_default_str();
  command
      ->add_option("--param", arguments->params, "name=number, or name=number,number,... of an array; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--tile", arguments->tile, "QUERIESxKEYS of a tile")->capture_default_str();
  command->add_option("--batch", arguments->options.batch, "the sequence")->capture_default_str();
  command->add_option("--head", arguments->options.head, "the query head")->capture_default_str();
  command->add_flag("--ascii", arguments->options.ascii, "draw without block characters");
  command
      ->add_option("--emit", arguments->emit, "grid; mask: the IR as written; derived: with what the compiler derives")
      ->check(CLI::IsMember({"grid", "mask", "derived"}))
      ->capture_default_str();
  command->callback([arguments, &action] { action = [arguments] { return show(*arguments); }; });
}

} // namespace maskjit
