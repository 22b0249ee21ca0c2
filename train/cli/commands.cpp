#include "diagrad/train/cli/command.h"

namespace diagrad::cli {

std::span<const CommandInfo> commands() {
  static constexpr CommandInfo kCommands[] = {
      {"train", "train a model, with everything about the run in one folder", make_train_command},
      {"eval", "evaluate a checkpoint: accuracy, per class, confusions", make_eval_command},
      {"report", "make report.html of a run folder again, from its other files",
       make_report_command},
      {"summary", "list layers with shapes, parameters and multiply-adds", make_summary_command},
      {"bench", "time training steps on made-up images: images/s, GFLOP/s, memory",
       make_bench_command},
      {"models", "list the networks", make_models_command},
      {"attention", "list the attention modules", make_attention_command},
      {"datasets", "list what --data understands, and where it is found", make_datasets_command},
      {"recipes", "list tried sets of options, or print one", make_recipes_command},
      {"info", "print version, build, processor, devices and libraries", make_info_command},
  };
  return kCommands;
}

}  // namespace diagrad::cli
