#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace diagrad::train {

/// Everything a training run can be told: one set for flags, config files, recipes, checkpoints.
/// The member `weight_decay` is spelled `--weight-decay` and `weight-decay = ...`; what each one
/// means is said once, in options.cpp, where the help text comes from.
struct Options {
  // What is trained.
  std::string task = "classify";
  std::string model = "resnet20";
  std::vector<std::string> model_opt;
  std::string attention = "dia-lstm";
  std::string sharing;
  int64_t classes = 0;
  std::string precision = "f32";
  std::string math = "fast";
  int64_t seed = 0;

  // On what.
  std::string data = "shapes";
  int64_t val_split = 0;
  std::vector<std::string> augment = {"pad-crop:border=4", "flip"};
  std::string normalization;
  bool drop_last = false;
  bool overfit_one_batch = false;

  // How long, and how the weights are found.
  int64_t epochs = 15;
  int64_t batch = 128;
  int64_t eval_batch = 256;
  int64_t accumulate = 1;
  std::string optimizer = "sgd";
  double lr = 0.0;
  double momentum = 0.9;
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-4;
  std::vector<std::string> no_decay;
  double clip_grad_norm = 0.0;
  double label_smoothing = 0.0;
  double ema_decay = 0.0;

  // The learning rate over time.
  std::string schedule = "cosine";
  double warmup = 0.0;
  double min_lr = 0.0;
  std::vector<int64_t> milestones;
  double gamma = 0.1;
  double peak_at = 0.3;
  double start_factor = 25.0;
  double final_factor = 1e4;
  bool cycle_momentum = true;
  double base_momentum = 0.85;
  double max_momentum = 0.95;

  // Where and for how long it runs; none of these changes what comes out.
  std::string device = "cpu";
  int64_t threads = 0;
  int64_t workers = 2;
  std::string out;
  std::string resume;
  int64_t max_steps = 0;
  double max_time = 0.0;
  int64_t eval_every = 1;
  int64_t save_every = 0;
  int64_t keep_every = 0;
  int64_t keep = 0;

  /// Throws Error(usage), one line with the value and what is allowed, for the first option that
  /// makes no sense by itself or beside another. Names that a registry knows (model, attention,
  /// data) are checked by it.
  void validate() const;
  /// `lr`, or the usual one of the optimizer where it is 0: 0.1 for sgd, 0.001 for adamw.
  double learning_rate() const;
};

/// What the command line, config files and listings need to know of one option.
struct OptionInfo {
  const char* name = "";   ///< "weight-decay"
  const char* group = "";  ///< heading in --help
  const char* help = "";   ///< one line; a default that is no plain value is explained here
  /// Says only where and for how long to run: left out of checkpoints, free to change on resume.
  bool runtime = false;
};

/// Receives every option with its member, in the order of --help.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void visit(const OptionInfo& info, std::string& value) = 0;
  virtual void visit(const OptionInfo& info, int64_t& value) = 0;
  virtual void visit(const OptionInfo& info, double& value) = 0;
  virtual void visit(const OptionInfo& info, bool& value) = 0;
  virtual void visit(const OptionInfo& info, std::vector<std::string>& value) = 0;
  virtual void visit(const OptionInfo& info, std::vector<int64_t>& value) = 0;
};

/// The one list of options.
void visit_options(Options& options, OptionVisitor& visitor);

/// `weight-decay = 0.0001` and so on: a config file that gives the same run again.
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
