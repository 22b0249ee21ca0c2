#pragma once

#include <memory>
#include <span>

#include "diagrad/train/cli/arguments.h"

namespace diagrad::cli {

/// One subcommand. Its file defines a class and the function below that makes it.
class Command {
 public:
  virtual ~Command() = default;
  /// Declares what it takes; the members that values go to belong to the command.
  virtual void declare(Arguments& arguments) = 0;
  /// Does the work, after parsing. Returns the exit code; errors are thrown.
  virtual int run() = 0;
};

struct CommandInfo {
  const char* name;
  const char* help;  ///< one line
  std::unique_ptr<Command> (*make)();
};

/// In the order of --help.
std::span<const CommandInfo> commands();

std::unique_ptr<Command> make_attention_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_datasets_command();
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_info_command();
std::unique_ptr<Command> make_models_command();
std::unique_ptr<Command> make_recipes_command();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_summary_command();
std::unique_ptr<Command> make_train_command();

}  // namespace diagrad::cli
