#include "diagrad/train/cli/plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/optimization.h"
#include "diagrad/train/run/resume.h"
#include "diagrad/train/run/run_folder.h"
#include "diagrad/train/run/run_parts.h"

namespace diagrad::cli {
namespace {

using train::Options;
using train::TrainJob;

std::string plural(int64_t count, const char* word) {
  return fmt::format("{} {}{}", thousands(count), word, count == 1 ? "" : "s");
}

/// All that the run does before its first step, without a change of files.
PlannedRun plan_run(const train::RunParts& parts, RunPlan& plan) {
  const Options& options = parts.job.options;
  auto source = train::read_source(parts);
  PlannedRun run{options.seed, train::find_run_folder(options), "new"};
  train::check_run_folder(run.folder);
  train::CheckpointFolder checkpoints(run.folder + "/checkpoints");
  const train::RunBegin begin =
      train::resume(parts, checkpoints, std::move(source),
                    [&](const std::string& note) { plan.notes.push_back(note); });
  if (plan.runs.empty()) plan.init = begin.init.text;
  train::check_room(parts, checkpoints, run.folder);
  if (!begin.path.empty()) {
    run.resumed_at = begin.progress.step;
    const int64_t offset = begin.progress.schedule_step - begin.progress.step;
    run.state = fmt::format("goes on after step {} of {}, {} done", thousands(run.resumed_at),
                            thousands(parts.schedule.steps() - offset),
                            plural(begin.progress.epoch, "epoch"));
  }
  return run;
}

std::string schedule_text(const RunPlan& plan, const Options& options) {
  const train::LearningRate rate = train::make_learning_rate(options, plan.steps_per_epoch);
  const int64_t highest = rate.highest();
  if (options.schedule == "constant" && highest == 0) return fmt::format("{:.4g}", options.lr);
  std::string text = fmt::format("{}: {:.4g} at first, ", options.schedule, rate.lr(0));
  if (highest > 0) {
    text += fmt::format("{:.4g} at step {}, ", rate.lr(highest), thousands(highest + 1));
  }
  return text + fmt::format("{:.4g} at the end", rate.lr(plan.steps - 1));
}

std::string optimizer_text(const Options& o) {
  std::string text = o.optimizer;
  if (o.momentum) text += fmt::format(", momentum {}", *o.momentum);
  text += fmt::format(", weight decay {}", o.weight_decay);
  if (o.clip_grad_norm > 0.0) text += fmt::format(", gradients clipped to {}", o.clip_grad_norm);
  if (o.ema_decay > 0.0) text += fmt::format(", averaged weights (decay {})", o.ema_decay);
  return text;
}

std::string attention_text(const Options& options) {
  if (options.attention == "none") return "none";
  const nn::Sharing sharing = models::sharing_of(options.model, options.attention, options.sharing);
  return fmt::format("{}, one per {}", printable(options.attention), nn::name(sharing));
}

std::string data_text(const TrainJob& job) {
  if (job.options.overfit_one_batch) {
    return fmt::format("{}: one batch of {}, to train and to test on", printable(job.options.data),
                       plural(job.train->size(), "image"));
  }
  std::string text =
      fmt::format("{}: {} training", printable(job.options.data), thousands(job.train->size()));
  if (job.validation) text += fmt::format(", {} validation", thousands(job.validation->size()));
  const data::DatasetInfo& info = job.test->info();
  return text + fmt::format(" and {} test images {}, {} classes", thousands(job.test->size()),
                            info.image.str(), info.class_count());
}

std::string length_text(const RunPlan& plan, const Options& options) {
  std::string text = fmt::format("{} of {}, {} in all", plural(options.epochs, "epoch"),
                                 plural(plan.steps_per_epoch, "step"), plural(plan.steps, "step"));
  if (options.max_steps > 0)
    text += fmt::format("; stops at step {}", thousands(options.max_steps));
  if (options.max_time > 0.0) text += fmt::format("; stops after {:g} s", options.max_time);
  return text;
}

std::string model_text(const RunPlan& plan, const Options& options) {
  std::string text =
      fmt::format("{}, {} parameters", printable(options.model), thousands(plan.parameters));
  if (plan.frozen > 0) text += fmt::format(" ({} frozen)", thousands(plan.frozen));
  return text + ", " + options.precision;
}

std::string weights_text(const RunPlan& plan, const Options& options) {
  if (plan.init.empty()) return "fresh";
  return printable(fmt::format("{}: {}", options.init, plan.init));
}

std::string seeds_text(const RunPlan& plan) {
  const int64_t first = plan.runs.front().seed;
  if (plan.runs.size() == 1) return fmt::format("{}", first);
  return fmt::format("{} to {}, one for each of {} runs", first, plan.runs.back().seed,
                     thousands(static_cast<int64_t>(plan.runs.size())));
}

}  // namespace

RunPlan plan_runs(const TrainJob& job, const std::vector<Options>& runs) {
  RunPlan plan;
  for (const auto& parameter : job.model->named_parameters()) {
    plan.parameters += parameter.tensor.numel();
  }
  plan.notes = job.notes;
  for (const Options& run : runs) {
    TrainJob own = job;  // of the same model: what it restores is looked at, not used
    own.options.seed = run.seed;
    own.options.out = run.out;
    const train::RunParts parts(own);
    plan.steps_per_epoch = parts.steps_per_epoch;
    plan.steps = parts.schedule.steps();
    plan.frozen = parts.frozen;
    plan.runs.push_back(plan_run(parts, plan));
  }
  return plan;
}

std::vector<std::string> plan_lines(const RunPlan& plan, const TrainJob& job) {
  const Options& o = job.options;
  std::vector<std::string> steps = o.augment;
  if (o.mixup > 0.0) steps.push_back(fmt::format("mixup {}", o.mixup));
  if (o.cutmix > 0.0) steps.push_back(fmt::format("cutmix {}", o.cutmix));
  const std::string augmentation = fmt::format("{}", fmt::join(steps, ", "));
  std::string batch = plural(o.batch, "image");
  if (o.accumulate > 1) batch += fmt::format(", {} batches per step", o.accumulate);
  std::vector<std::pair<const char*, std::string>> rows = {
      {"task", fmt::format("{}, best by {}", printable(o.task), job.task->primary().name)},
      {"model", model_text(plan, o)},
      {"first weights", weights_text(plan, o)},
      {"attention", attention_text(o)},
      {"data", data_text(job)},
      {"augmentation", augmentation.empty() ? "none" : printable(augmentation)},
      {"normalization", printable(o.normalization)},
      {"batch", batch},
      {"length", length_text(plan, o)},
      {"optimizer", optimizer_text(o)},
      {"learning rate", schedule_text(plan, o)},
      {"seed", seeds_text(plan)},
      {"device", o.device}};
  for (const PlannedRun& run : plan.runs) {
    rows.emplace_back("folder", fmt::format("{} ({})", printable(run.folder), run.state));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) lines.push_back(fmt::format("{:<14} {}", row.first, row.second));
  lines.emplace_back("dry run: nothing was trained, nothing was written");
  return lines;
}

std::string plan_json(const RunPlan& plan, const TrainJob& job) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const PlannedRun& run : plan.runs) {
    runs.push_back({{"seed", run.seed}, {"folder", run.folder}, {"resumed_at", run.resumed_at}});
  }
  const nlohmann::ordered_json object = {{"format", train::kFormat},
                                         {"dry_run", true},
                                         {"task", job.options.task},
                                         {"model", job.options.model},
                                         {"attention", job.options.attention},
                                         {"data", job.options.data},
                                         {"parameters", plan.parameters},
                                         {"frozen_parameters", plan.frozen},
                                         {"init", plan.init},
                                         {"overfit_one_batch", job.options.overfit_one_batch},
                                         {"train_images", job.train->size()},
                                         {"eval_set", job.eval_name()},
                                         {"eval_images", job.eval_set()->size()},
                                         {"test_images", job.test->size()},
                                         {"classes", job.test->info().class_count()},
                                         {"epochs", job.options.epochs},
                                         {"steps_per_epoch", plan.steps_per_epoch},
                                         {"steps", plan.steps},
                                         {"folder", plan.runs.front().folder},
                                         {"resumed_at", plan.runs.front().resumed_at},
                                         {"runs", runs}};
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace diagrad::cli
