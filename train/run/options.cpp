#include "diagrad/train/run/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/spelling.h"

namespace diagrad::train {
namespace {

constexpr const char* kModel = "Model";
constexpr const char* kData = "Data";
constexpr const char* kOptimization = "Optimization";
constexpr const char* kSchedule = "Learning rate schedule";
constexpr const char* kRun = "Run";
constexpr bool kRuntime = true;

void visit_model(Options& o, OptionVisitor& v) {
  v.visit({"task", kModel, "what to learn: classify"}, o.task);
  v.visit({"model", kModel, "network, see 'diagrad models'"}, o.model);
  v.visit({"model-opt", kModel, "option of the model as key=value, may be repeated"}, o.model_opt);
  v.visit({"attention", kModel, "module[:option=value,...], see 'diagrad attention'"}, o.attention);
  v.visit({"sharing", kModel,
           "one attention unit per block, stage or network; empty: as the module is meant"},
          o.sharing);
  v.visit({"classes", kModel, "outputs of the network; 0: as many as the data has"}, o.classes);
  v.visit({"precision", kModel, "f32 or f64"}, o.precision);
  v.visit({"math", kModel,
           "of f32 convolutions: fast, at an error below 1e-5, or exact, summed directly"},
          o.math);
  v.visit({"seed", kModel, "of weights, order, augmentation and dropout"}, o.seed);
}

void visit_data(Options& o, OptionVisitor& v) {
  v.visit({"data", kData, "folder, or a set by name, see 'diagrad datasets'"}, o.data);
  v.visit({"val-split", kData,
           "training images set aside to choose the best epoch by; 0: none, the test set "
           "chooses, and files say so"},
          o.val_split);
  v.visit({"augment", kData, "list of pad-crop:border=4, flip, cutout:size=16; or none"},
          o.augment);
  v.visit({"normalization", kData, "preset: cifar, cifar10, cifar100, half; empty: the data's own"},
          o.normalization);
  v.visit({"drop-last", kData, "leave out a last batch that is not full"}, o.drop_last);
  v.visit({"overfit-one-batch", kData,
           "learn one batch by heart, without augmentation: a quick test of model and settings"},
          o.overfit_one_batch);
}

void visit_optimization(Options& o, OptionVisitor& v) {
  v.visit({"epochs", kOptimization, "passes over the training images"}, o.epochs);
  v.visit({"batch", kOptimization, "images per batch"}, o.batch);
  v.visit({"eval-batch", kOptimization, "images per batch of evaluation"}, o.eval_batch);
  v.visit({"accumulate", kOptimization, "batches whose gradients are averaged for one step"},
          o.accumulate);
  v.visit({"optimizer", kOptimization, "sgd or adamw"}, o.optimizer);
  v.visit({"lr", kOptimization, "highest learning rate; 0: 0.1 for sgd, 0.001 for adamw"}, o.lr);
  v.visit({"momentum", kOptimization, "of sgd"}, o.momentum);
  v.visit({"nesterov", kOptimization, "Nesterov's form of momentum"}, o.nesterov);
  v.visit({"beta1", kOptimization, "of adamw"}, o.beta1);
  v.visit({"beta2", kOptimization, "of adamw"}, o.beta2);
  v.visit({"epsilon", kOptimization, "of adamw"}, o.epsilon);
  v.visit({"weight-decay", kOptimization, "sgd: added to the gradient; adamw: decoupled"},
          o.weight_decay);
  v.visit({"no-decay", kOptimization,
           "parameters without weight decay: names with * and ?, or 1d for biases and norms"},
          o.no_decay);
  v.visit({"clip-grad-norm", kOptimization, "largest norm of the whole gradient; 0: any"},
          o.clip_grad_norm);
  v.visit({"label-smoothing", kOptimization, "share of the target spread over all classes"},
          o.label_smoothing);
  v.visit({"ema-decay", kOptimization,
           "of a moving average of the weights, evaluated beside them and preferred; 0: none"},
          o.ema_decay);
}

void visit_schedule(Options& o, OptionVisitor& v) {
  v.visit({"schedule", kSchedule, "constant, multistep, cosine or onecycle"}, o.schedule);
  v.visit({"warmup", kSchedule, "epochs of linear rise at the start (not for onecycle)"}, o.warmup);
  v.visit({"min-lr", kSchedule, "where cosine ends"}, o.min_lr);
  v.visit({"milestones", kSchedule, "epochs, counted from 0, at whose start multistep drops"},
          o.milestones);
  v.visit({"gamma", kSchedule, "factor of a multistep drop"}, o.gamma);
  v.visit({"peak-at", kSchedule, "share of all steps before the peak of onecycle"}, o.peak_at);
  v.visit({"start-factor", kSchedule, "onecycle starts at lr / this"}, o.start_factor);
  v.visit({"final-factor", kSchedule, "onecycle ends at its start / this"}, o.final_factor);
  v.visit({"cycle-momentum", kSchedule,
           "onecycle moves momentum (beta1 of adamw) against the learning rate"},
          o.cycle_momentum);
  v.visit({"base-momentum", kSchedule, "of onecycle at its peak"}, o.base_momentum);
  v.visit({"max-momentum", kSchedule, "of onecycle at start and end"}, o.max_momentum);
}

void visit_run(Options& o, OptionVisitor& v) {
  v.visit({"device", kRun, "cpu, cuda or cuda:n", kRuntime}, o.device);
  v.visit({"threads", kRun, "of the computation; 0: all cores", kRuntime}, o.threads);
  v.visit(
      {"workers", kRun, "threads that prepare batches; 0: none beside the computation", kRuntime},
      o.workers);
  v.visit({"out", kRun, "run folder; empty: runs/<date-time>-<model>-<attention>-<data>", kRuntime},
          o.out);
  v.visit({"resume", kRun, "auto: where the run folder stopped; or a checkpoint file", kRuntime},
          o.resume);
  v.visit({"max-steps", kRun, "stop after this step; 0: none. The schedule stays that of --epochs",
           kRuntime},
          o.max_steps);
  v.visit({"max-time", kRun, "stop, saved, after this many seconds; 0: none", kRuntime},
          o.max_time);
  v.visit({"eval-every", kRun, "epochs between evaluations; the last one is always evaluated"},
          o.eval_every);
  v.visit({"save-every", kRun, "steps between checkpoints within an epoch; 0: only at its end",
           kRuntime},
          o.save_every);
  v.visit({"keep-every", kRun, "epochs between the checkpoints kept beside last and best; 0: none",
           kRuntime},
          o.keep_every);
  v.visit({"keep", kRun, "how many of those stay, newest first; 0: all", kRuntime}, o.keep);
}

void check_range(const char* name, double value, double low, double high) {
  DG_CHECK(value >= low && value <= high, "{}: {} is out of range, use {} to {}", name, value, low,
           high);
}

/// Zero and more; `high` bounds what could only be a slip of the keyboard.
void check_count(const char* name, int64_t value, int64_t low, int64_t high) {
  DG_CHECK(value >= low && value <= high, "{}: {} is out of range, use {} to {}", name, value, low,
           high);
}

void check_choice(const char* name, std::string_view value,
                  const std::vector<std::string>& choices) {
  DG_CHECK(std::find(choices.begin(), choices.end(), value) != choices.end(),
           "{}: '{}' is unknown{} (use one of: {})", name, value, did_you_mean(value, choices),
           fmt::join(choices, ", "));
}

void validate_schedule(const Options& o) {
  check_choice("schedule", o.schedule, {"constant", "multistep", "cosine", "onecycle"});
  check_range("warmup", o.warmup, 0.0, static_cast<double>(o.epochs));
  DG_CHECK(o.schedule != "onecycle" || o.warmup == 0.0,
           "warmup: {} epochs beside schedule onecycle, which has a rise of its own; set its share "
           "with peak-at",
           o.warmup);
  DG_CHECK(o.schedule != "multistep" || !o.milestones.empty(),
           "milestones: schedule multistep needs some, e.g. 60,120");
  DG_CHECK(std::is_sorted(o.milestones.begin(), o.milestones.end()), "milestones: {} must not fall",
           fmt::join(o.milestones, ","));
  DG_CHECK(o.milestones.empty() || o.milestones.front() >= 0, "milestones: {} is negative",
           o.milestones.front());
  check_range("gamma", o.gamma, 0.0, 1.0);
  check_range("min-lr", o.min_lr, 0.0, o.learning_rate());
  check_range("peak-at", o.peak_at, 0.0, 1.0);
  check_range("start-factor", o.start_factor, 1.0, 1e12);
  check_range("final-factor", o.final_factor, 1.0, 1e12);
  check_range("max-momentum", o.max_momentum, 0.0, 0.9999);
  check_range("base-momentum", o.base_momentum, 0.0, o.max_momentum);
  DG_CHECK(
      o.schedule != "onecycle" || !o.cycle_momentum || o.optimizer != "sgd" ||
          (o.momentum > 0.0 && o.base_momentum > 0.0),
      "momentum: onecycle moves it, but it is {} with base-momentum {}; use values above 0, or "
      "cycle-momentum=false",
      o.momentum, o.base_momentum);
}

void validate_optimization(const Options& o) {
  check_choice("optimizer", o.optimizer, {"sgd", "adamw"});
  DG_CHECK(std::isfinite(o.lr) && o.lr >= 0.0,
           "lr: {} must be above 0, e.g. 0.1, or 0 for the usual one of the optimizer", o.lr);
  check_range("momentum", o.momentum, 0.0, 1.0);
  DG_CHECK(!o.nesterov || (o.optimizer == "sgd" && o.momentum > 0.0),
           "nesterov: needs optimizer sgd with momentum above 0, got {} with {}", o.optimizer,
           o.momentum);
  DG_CHECK(o.beta1 >= 0.0 && o.beta1 < 1.0, "beta1: {} must be from 0 to below 1", o.beta1);
  DG_CHECK(o.beta2 >= 0.0 && o.beta2 < 1.0, "beta2: {} must be from 0 to below 1", o.beta2);
  check_range("epsilon", o.epsilon, 0.0, 1.0);
  check_range("weight-decay", o.weight_decay, 0.0, 1.0);
  check_range("clip-grad-norm", o.clip_grad_norm, 0.0, 1e30);
  DG_CHECK(o.label_smoothing >= 0.0 && o.label_smoothing < 1.0,
           "label-smoothing: {} must be from 0 to below 1", o.label_smoothing);
  DG_CHECK(o.ema_decay >= 0.0 && o.ema_decay < 1.0, "ema-decay: {} must be from 0 to below 1",
           o.ema_decay);
}

}  // namespace

void visit_options(Options& options, OptionVisitor& visitor) {
  visit_model(options, visitor);
  visit_data(options, visitor);
  visit_optimization(options, visitor);
  visit_schedule(options, visitor);
  visit_run(options, visitor);
}

double Options::learning_rate() const {
  if (lr > 0.0) return lr;
  return optimizer == "adamw" ? 1e-3 : 0.1;
}

void Options::validate() const {
  constexpr int64_t kMany = 1'000'000'000;
  check_choice("task", task, {"classify", "segment", "denoise", "detect"});
  DG_CHECK(task == "classify", "task: {} is not in this version yet, it trains: classify", task);
  DG_CHECK(precision != "bf16",
           "precision: bf16 is not trained in by this version yet, use f32 or f64");
  check_choice("precision", precision, {"f32", "f64"});
  parse_math_mode(math);
  if (!sharing.empty()) check_choice("sharing", sharing, {"block", "stage", "network"});
  check_count("classes", classes, 0, 1'000'000);
  check_count("seed", seed, 0, INT64_MAX);
  check_count("val-split", val_split, 0, kMany);
  check_count("epochs", epochs, 1, 1'000'000);
  check_count("batch", batch, 1, 1'000'000);
  check_count("eval-batch", eval_batch, 1, 1'000'000);
  check_count("accumulate", accumulate, 1, 1'000'000);
  check_count("threads", threads, 0, 1024);
  check_count("workers", workers, 0, 256);
  check_count("max-steps", max_steps, 0, INT64_MAX);
  check_range("max-time", max_time, 0.0, 1e9);
  check_count("eval-every", eval_every, 1, 1'000'000);
  check_count("save-every", save_every, 0, kMany);
  check_count("keep-every", keep_every, 0, 1'000'000);
  check_count("keep", keep, 0, 1'000'000);
  validate_optimization(*this);
  validate_schedule(*this);
}

}  // namespace diagrad::train
