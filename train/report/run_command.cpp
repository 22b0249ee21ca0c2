#include "diagrad/train/report/run_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {

std::string RunFiles::option(const std::string& name) const {
  for (const ConfigLine& line : config) {
    if (line.name == name) return line.value;
  }
  return {};
}

std::string repeat_command(const std::vector<ConfigLine>& config) {
  std::string command = "diagrad train";
  for (const ConfigLine& line : config) {
    if (line.is_default || line.name == "out" || line.name == "resume") continue;
    const std::string& value = line.value;
    const OptionInfo* info = find_option(line.name);
    command += " --" + shell_word(line.name);
    if (info != nullptr && info->option.kind == Option::Kind::boolean) {
      command += value == "true" ? "" : "=false";
    } else {
      command += (value.rfind('-', 0) == 0 ? "=" : " ") + shell_word(value);
    }
  }
  return command;
}

std::string resume_command(const std::string& folder, const std::string& reason) {
  const bool limited = reason == "max-steps" || reason == "max-time";
  return fmt::format("diagrad train --config {} --out {} --resume auto{}",
                     shell_path(folder + "/config.toml"), shell_path(folder),
                     limited ? " --" + reason + " 0" : "");
}

}  // namespace diagrad::train
