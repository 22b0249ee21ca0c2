#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"

namespace diagrad::cli {

/// One entry of a registry, as `models`, `attention`, `datasets` and `recipes` show it.
struct Listed {
  std::string name = {};
  std::string help = {};
  std::vector<Option> options = {};
  /// More of it: a key of --json and its text; shown for a single entry.
  std::vector<std::pair<std::string, std::string>> facts = {};
};

/// `diagrad models [NAME] [--json]`: all entries in the order of their names, those whose names
/// contain NAME, or all that is known of the one that is called NAME. JSON: {"format":1,
/// "<plural>":[{"name", "help", the facts, "options":[{"name","default","allowed","help"}]}]}.
class ListCommand : public Command {
 public:
  explicit ListCommand(std::string plural) : plural_(std::move(plural)) {}
  void declare(Arguments& arguments) override;
  int run() override;

 protected:
  virtual std::vector<Listed> list() const = 0;
  /// Shows the one entry that NAME names.
  virtual void show(Console& console, const Listed& entry) const;

 private:
  std::string plural_;
  std::string name_;
  bool json_ = false;
};

/// A list command for each registry that a task brings (train::TaskRegistry).
std::vector<CommandInfo> task_registry_commands();

}  // namespace diagrad::cli
