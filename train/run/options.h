#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "diagrad/core/option.h"

namespace diagrad::train {

/// All options of a training run: one set for flags, config files, recipes, checkpoints.
/// The member `weight_decay` is spelled `--weight-decay` and `weight-decay = ...`; what each one
/// means and may be is said once, in option_table(). What belongs to one optimizer, schedule, task,
/// model, attention or data set alone is an option of that choice: `sgd:nesterov=true`.
struct Options {
  // What is trained.
  std::string task = "classify";
  std::string model = "resnet20";
  std::vector<std::string> model_opt;
  std::string attention = "dia-lstm";
  std::string sharing;
  int64_t classes = 0;
  std::string init;
  std::vector<std::string> freeze;
  std::string precision = "f32";
  std::string math = "fast";
  int64_t seed = 0;

  // On what.
  std::string data = "shapes";
  int64_t val_split = 0;
  std::vector<std::string> augment;  ///< empty: the task's
  std::string normalization;
  double mixup = 0.0;
  double cutmix = 0.0;
  double mix_switch = 0.5;
  bool drop_last = false;
  bool overfit_one_batch = false;

  // How long, and how the weights are found.
  int64_t epochs = 15;
  int64_t batch = 128;
  int64_t eval_batch = 256;
  int64_t accumulate = 1;
  std::string optimizer = "sgd";
  double lr = 0.0;
  std::optional<double> momentum;  ///< nothing: the optimizer's default, if it has a momentum
  double weight_decay = 1e-4;
  std::vector<std::string> no_decay;
  double clip_grad_norm = 0.0;
  double ema_decay = 0.0;

  // The learning rate over time.
  std::string schedule = "cosine";
  std::string warmup = "0";

  // Where and for how long it runs; none of these changes what comes out.
  std::string device = "cpu";
  int64_t threads = 0;
  int64_t workers = 2;
  bool checkpoint_blocks = false;
  std::string out;
  std::string resume;
  bool other_data = false;
  int64_t max_steps = 0;
  double max_time = 0.0;
  int64_t eval_every = 1;
  int64_t save_every = 0;
  int64_t keep_every = 0;
  int64_t keep = 0;

  /// Throws Error(usage), one line with the value and what is allowed, for the first option that
  /// makes no sense by itself or beside another. Names of models, attention and data are checked by
  /// their registries.
  void validate() const;
  /// Fills in what follows from the optimizer, `lr` where it is 0, `momentum` where there is one,
  /// and from the model: `no_decay`.
  void fill_defaults();
  /// `no_decay`, where it is empty: what the model proposes, if it is registered. Not for `none`.
  void fill_no_decay();
  /// `lr`, or the optimizer's default where it is 0.
  double learning_rate() const;
  /// `augment`, or the task's where it is empty.
  std::vector<std::string> augmentations() const;
};

/// What the command line, config files and listings need to know of one option.
struct OptionInfo {
  using Member =
      std::variant<std::string Options::*, int64_t Options::*, double Options::*, bool Options::*,
                   std::optional<double> Options::*, std::vector<std::string> Options::*>;
  const char* group = "";  ///< heading in --help
  Option option;
  Member member;
  /// Says only where and for how long to run: left out of checkpoints, free to change on resume.
  bool runtime = false;
};

/// The one list of options, in the order of --help.
const std::vector<OptionInfo>& option_table();
/// Null for a name that no option has.
const OptionInfo* find_option(std::string_view name);
/// Throws Error(usage), beginning with `where`, with the nearest name; an option that belongs to an
/// optimizer, a schedule or a task is named with its spelling: `--optimizer adamw:beta2=...`.
[[noreturn]] void fail_unknown_option(std::string_view where, std::string_view name);
/// "belongs to schedule multistep, write it as --schedule multistep:gamma=VALUE" for an option of a
/// choice; empty for other names.
std::string owner_of_option(std::string_view name);

/// Reads the texts of an option into its member: one, or several for a list. Throws Error(usage),
/// beginning with `where`, for a text that is not of its type.
void assign(Options& options, const OptionInfo& info, std::string_view where,
            const std::vector<std::string>& texts);

/// `weight-decay = 0.0001` and so on: a config file that gives the same run again. What the
/// choices of the run do not have is left out.
std::string to_toml(const Options& options);

/// The options that decide what comes out (not the runtime ones) as a JSON object: what a
/// checkpoint keeps. Equal options give equal text.
std::string to_json(const Options& options);
/// Reads that back; what is absent keeps its default. Throws Error(checkpoint) for text that is
/// not such an object, an unknown name or a value of the wrong type.
Options options_from_json(const std::string& text);

struct OptionDifference {
  std::string name;
  std::string there;
  std::string here;

  std::string text() const { return name + "=" + there + " there, " + here + " here"; }
};

/// The options that differ, runtime ones left out, values as in JSON.
std::vector<OptionDifference> differences(const Options& there, const Options& here);

}  // namespace diagrad::train
