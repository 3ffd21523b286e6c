// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One option under both of its spellings: --num-generations and TRL's --num_generations.
#pragma once
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>

namespace maskjit::rl {

inline std::string bothSpellings(const std::string &name) {
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return dashed == name ? "--" + name : "--" + dashed + ",--" + name;
}

/// Binds `value`; the help shows its default.
template <class T> CLI::Option *option(CLI::App &app, const std::string &name, T &value, const std::string &help) {
  return app.add_option(bothSpellings(name), value, help)->capture_default_str();
}
/// An option that may stay unset.
template <class T>
CLI::Option *option(CLI::App &app, const std::string &name, std::optional<T> &value, const std::string &help) {
  return app.add_option_function<T>(bothSpellings(name), [&value](const T &given) { value = given; }, help);
}
inline CLI::Option *flag(CLI::App &app, const std::string &name, bool &value, const std::string &help) {
  return app.add_flag(bothSpellings(name), value, help);
}

/// Adds --config; the command applies the file with applyConfig before it reads its settings.
inline void addConfigOption(CLI::App &app, std::string &path) {
  app.add_option("--config", path, "TOML file with these options as keys; flags win over it");
}
/// Gives the options that no flag has set the values of the TOML file. Throws CLI::ParseError on unknown keys and on
/// values that do not convert. Does nothing if `path` is empty. (CLI11's own set_config serves the top command only.)
void applyConfig(CLI::App &app, const std::string &path);

} // namespace maskjit::rl
