#include <fmt/ranges.h>

#include <limits>
#include <type_traits>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/task.h"

// What each option of a run is called, may be and means.

namespace diagrad::train {
namespace {

constexpr const char* kModel = "Model";
constexpr const char* kData = "Data";
constexpr const char* kOptimization = "Optimization";
constexpr const char* kSchedule = "Learning rate schedule";
constexpr const char* kRun = "Run";
constexpr int64_t kMany = 1'000'000'000;
constexpr int64_t kMillion = 1'000'000;

using OptionTable = std::vector<OptionInfo>;

template <typename Member>
OptionInfo text(const char* group, const char* name, Member member, const char* help) {
  return {group, text_option(name, "", help), member};
}

OptionInfo choice(const char* group, const char* name, std::string Options::*member,
                  std::vector<std::string> choices, const char* help) {
  return {group, choice_option(name, std::move(choices), help), member};
}

OptionInfo count(const char* group, const char* name, int64_t Options::*member, int64_t low,
                 int64_t high, const char* help) {
  return {group, int_option(name, 0, low, high, help), member};
}

template <typename Member>
OptionInfo number(const char* group, const char* name, Member member, double low, double high,
                  const char* help) {
  return {group, float_option(name, 0.0, low, high, help), member};
}

/// A number below `high`.
OptionInfo below(const char* group, const char* name, double Options::*member, double high,
                 const char* help) {
  OptionInfo info = number(group, name, member, 0.0, high, help);
  info.option.below_high = true;
  return info;
}

OptionInfo flag(const char* group, const char* name, bool Options::*member, const char* help) {
  return {group, bool_option(name, false, help), member};
}

OptionInfo runtime(OptionInfo info) {
  info.runtime = true;
  return info;
}

void add_model(OptionTable& t) {
  using O = Options;
  t.push_back(text(kModel, "task", &O::task,
                   "what is trained, name[:option=value,...], see 'diagrad tasks'; where the model "
                   "does not fit the default, one that it fits"));
  t.push_back(text(kModel, "model", &O::model, "network, see 'diagrad models'"));
  t.push_back(text(kModel, "model-opt", &O::model_opt,
                   "option of the model as key=value, may be repeated"));
  t.push_back(text(kModel, "attention", &O::attention,
                   "module[:option=value,...], see 'diagrad attention'"));
  t.push_back(text(kModel, "sharing", &O::sharing,
                   "one attention unit per block, stage or network; empty: the module's default"));
  t.push_back(count(kModel, "classes", &O::classes, 0, kMillion,
                    "outputs of the network; 0: as many as the data has"));
  t.push_back(text(kModel, "init", &O::init,
                   "begin with the weights of a checkpoint, a run folder or a safetensors file of "
                   "timm or torchvision; FILE[:option=value,...]"));
  t.push_back(
      text(kModel, "freeze", &O::freeze,
           "parameters that are not trained: names with * and ?, or 1d for biases and norms; "
           "their batch norm stays in evaluation mode"));
  t.push_back(choice(kModel, "precision", &O::precision, {"f32", "f64"}, "f32 or f64"));
  t.push_back(choice(kModel, "math", &O::math, {"fast", "exact"},
                     "of f32 convolutions: exact, or fast, 3x3 within 1.4e-5 * max|x| * sum|w|"));
  t.push_back(
      count(kModel, "seed", &O::seed, 0, INT64_MAX, "of weights, order, augmentation and dropout"));
}

void add_data(OptionTable& t) {
  using O = Options;
  t.push_back(text(kData, "data", &O::data, "folder, or a set by name, see 'diagrad datasets'"));
  t.push_back(count(kData, "val-split", &O::val_split, 0, kMany,
                    "training images set aside to choose the best epoch; 0: none, the test set "
                    "chooses, and files say so"));
  t.push_back(text(kData, "augment", &O::augment,
                   "list of steps, see 'diagrad augmentations': pad-crop:border=4,flip; or none; "
                   "empty: the task's, see 'diagrad tasks'"));
  t.push_back(
      text(kData, "normalization", &O::normalization,
           "preset: cifar, cifar10, cifar100, half; empty: the task's, else the data's own"));
  t.push_back(number(kData, "mixup", &O::mixup, 0.0, 100.0,
                     "alpha of mixup: a batch and its reverse, averaged; 0: off"));
  t.push_back(number(kData, "cutmix", &O::cutmix, 0.0, 100.0,
                     "alpha of cutmix: a batch with a box of its reverse; 0: off"));
  t.push_back(number(kData, "mix-switch", &O::mix_switch, 0.0, 1.0,
                     "share of the batches that cutmix gets where both are on"));
  t.push_back(flag(kData, "drop-last", &O::drop_last, "leave out a last batch that is not full"));
  t.push_back(flag(kData, "overfit-one-batch", &O::overfit_one_batch,
                   "train on one batch without augmentation: a quick test of model and settings"));
}

void add_optimization(OptionTable& t) {
  using O = Options;
  t.push_back(
      count(kOptimization, "epochs", &O::epochs, 1, kMillion, "passes over the training images"));
  t.push_back(count(kOptimization, "batch", &O::batch, 1, kMillion, "images per batch"));
  t.push_back(runtime(count(kOptimization, "eval-batch", &O::eval_batch, 1, kMillion,
                            "images per batch of evaluation")));
  t.push_back(count(kOptimization, "accumulate", &O::accumulate, 1, kMillion,
                    "batches whose gradients are averaged for one step"));
  t.push_back(text(kOptimization, "optimizer", &O::optimizer,
                   "name[:option=value,...], see 'diagrad optimizers'"));
  t.push_back(number(kOptimization, "lr", &O::lr, 0.0, std::numeric_limits<double>::max(),
                     "highest learning rate; 0: the optimizer's default"));
  t.push_back(number(kOptimization, "momentum", &O::momentum, 0.0, 1.0,
                     "of optimizers that have one; its default is the optimizer's"));
  t.push_back(number(kOptimization, "weight-decay", &O::weight_decay, 0.0, 1.0,
                     "sgd: added to the gradient; adamw: decoupled"));
  t.push_back(text(kOptimization, "no-decay", &O::no_decay,
                   "parameters without weight decay: names with * and ?, 1d for biases and norms; "
                   "none; empty: the model's default"));
  t.push_back(number(kOptimization, "clip-grad-norm", &O::clip_grad_norm, 0.0, 1e30,
                     "largest norm of the whole gradient; 0: any"));
  t.push_back(below(kOptimization, "ema-decay", &O::ema_decay, 1.0,
                    "of a moving average of the weights, evaluated beside them and preferred; 0: "
                    "none"));
  t.push_back(text(kSchedule, "schedule", &O::schedule,
                   "name[:option=value,...], see 'diagrad schedules'"));
  t.push_back(text(kSchedule, "warmup", &O::warmup,
                   "linear rise at the start, in epochs (0.5) or steps (100steps)"));
}

void add_run(OptionTable& t) {
  using O = Options;
  t.push_back(runtime(text(kRun, "device", &O::device, "cpu, cuda or cuda:n")));
  t.push_back(
      runtime(count(kRun, "threads", &O::threads, 0, 1024, "of the computation; 0: all cores")));
  t.push_back(runtime(count(kRun, "workers", &O::workers, 0, 256,
                            "threads that prepare batches; 0: none beside the computation")));
  t.push_back(runtime(flag(kRun, "checkpoint-blocks", &O::checkpoint_blocks,
                           "compute each block again in backward: less memory, more time, same "
                           "result")));
  t.push_back(runtime(text(kRun, "out", &O::out,
                           "run folder; empty: runs/<date-time>-<model>-<attention>-<data>")));
  t.push_back(runtime(text(kRun, "resume", &O::resume,
                           "auto: where the run folder stopped; or a checkpoint file")));
  t.push_back(runtime(flag(kRun, "other-data", &O::other_data,
                           "resume on other data than the run's, at the same share of the epoch")));
  t.push_back(runtime(count(kRun, "max-steps", &O::max_steps, 0, INT64_MAX,
                            "stop after this step; 0: none. The schedule stays that of --epochs")));
  t.push_back(runtime(number(kRun, "max-time", &O::max_time, 0.0, 1e9,
                             "stop, saved, after this many seconds; 0: none")));
  t.push_back(count(kRun, "eval-every", &O::eval_every, 1, kMillion,
                    "epochs between evaluations; the last one is always evaluated"));
  t.push_back(runtime(count(kRun, "save-every", &O::save_every, 0, kMany,
                            "steps between checkpoints within an epoch; 0: only at its end")));
  t.push_back(runtime(count(kRun, "keep-every", &O::keep_every, 0, kMillion,
                            "epochs between the checkpoints kept beside last and best; 0: none")));
  t.push_back(runtime(
      count(kRun, "keep", &O::keep, 0, kMillion, "how many of those stay, newest first; 0: all")));
}

/// The defaults are those of the members, as a user would type them.
void fill_defaults(OptionTable& table) {
  const Options defaults;
  for (OptionInfo& info : table) {
    std::string& shown = info.option.default_value;
    std::visit(
        [&](auto member) {
          const auto& value = defaults.*member;
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::optional<double>>) {
            shown = "";
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            shown = fmt::format("{}", fmt::join(value, ","));
            info.option.is_list = true;
          } else {
            shown = fmt::format("{}", value);
          }
        },
        info.member);
  }
}

/// The first entry of a registry that has an option of this name.
template <typename Entries>
std::string owner_in(const char* flag, const Entries& entries, std::string_view name) {
  for (const auto& entry : entries) {
    for (const Option& option : entry.options) {
      if (option.name != name) continue;
      return fmt::format("belongs to {} {}, write it as --{} {}:{}=VALUE", flag, entry.name, flag,
                         entry.name, name);
    }
  }
  return {};
}

}  // namespace

const std::vector<OptionInfo>& option_table() {
  static const OptionTable table = [] {
    OptionTable t;
    add_model(t);
    add_data(t);
    add_optimization(t);
    add_run(t);
    fill_defaults(t);
    return t;
  }();
  return table;
}

const OptionInfo* find_option(std::string_view name) {
  for (const OptionInfo& info : option_table()) {
    if (info.option.name == name) return &info;
  }
  return nullptr;
}

std::string owner_of_option(std::string_view name) {
  std::string owner = owner_in("optimizer", optimizers(), name);
  if (owner.empty()) owner = owner_in("schedule", schedules(), name);
  if (owner.empty()) owner = owner_in("task", tasks(), name);
  return owner;
}

void fail_unknown_option(std::string_view where, std::string_view name) {
  if (const std::string owner = owner_of_option(name); !owner.empty()) {
    fail(ErrorKind::usage, "{}: {}", where, owner);
  }
  std::vector<std::string> names;
  for (const OptionInfo& info : option_table()) names.push_back(info.option.name);
  fail(ErrorKind::usage, "{}: there is no option of this name{}", where, did_you_mean(name, names));
}

}  // namespace diagrad::train
