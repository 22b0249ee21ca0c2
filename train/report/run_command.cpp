#include "diagrad/train/report/run_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "diagrad/core/json_text.h"

namespace diagrad::train {

std::string RunFiles::option(const std::string& name) const {
  for (const ConfigLine& line : config) {
    if (line.name == name) return line.value;
  }
  return {};
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+-@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string repeat_command(const std::vector<ConfigLine>& config) {
  std::string command = "diagrad train";
  for (const ConfigLine& line : config) {
    if (line.is_default || line.name == "out" || line.name == "resume") continue;
    const std::string& value = line.value;
    command += " --" + shell_word(line.name);
    if (value == "true" || value == "false") {
      command += value == "true" ? "" : "=false";
    } else {
      command += " " + shell_word(value);
    }
  }
  return command;
}

std::string resume_command(const std::string& folder, const std::string& reason) {
  const bool limited = reason == "max-steps" || reason == "max-time";
  return fmt::format("diagrad train --config {} --out {} --resume auto{}",
                     shell_word(folder + "/config.toml"), shell_word(folder),
                     limited ? " --" + reason + " 0" : "");
}

}  // namespace diagrad::train
