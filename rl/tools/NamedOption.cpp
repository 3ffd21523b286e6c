// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of a TOML file for the options of a command.
#include "rl/tools/NamedOption.h"

namespace maskjit::rl {

void applyConfig(CLI::App &app, const std::string &path) {
  if (path.empty())
    return;
  for (const CLI::ConfigItem &item : CLI::ConfigTOML().from_file(path)) {
    CLI::Option *known = item.parents.empty() ? app.get_option_no_throw("--" + item.name) : nullptr;
    if (!known)
      throw CLI::ConfigError(path + ": '" + item.fullname() + "' is no option of " + app.get_name() +
                             "; --help lists them");
    if (known->count() > 0)
      continue;
    for (const std::string &value : item.inputs)
      known->add_result(value);
    known->run_callback();
  }
}

} // namespace maskjit::rl
