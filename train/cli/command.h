#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/train/cli/arguments.h"

namespace diagrad::cli {

/// One subcommand. Its file defines a class and registers it.
class Command {
 public:
  virtual ~Command() = default;
  /// Declares what it takes; the members that values go to belong to the command.
  virtual void declare(Arguments& arguments) = 0;
  /// Does the work, after parsing. Returns the exit code; errors are thrown.
  virtual int run() = 0;
};

struct CommandInfo {
  std::string name;
  std::string help;  ///< one line
  int position = 0;  ///< in --help, least first
  std::function<std::unique_ptr<Command>()> make;
};

/// `const bool registered = register_command({...});` at namespace scope of the command's file.
bool register_command(CommandInfo info);
/// In the order of --help.
std::vector<CommandInfo> commands();

}  // namespace diagrad::cli
