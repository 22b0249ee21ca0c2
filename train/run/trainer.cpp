#include "diagrad/train/run/trainer.h"

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/signals.h"
#include "diagrad/data/loader.h"
#include "diagrad/nn/freeze.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/result.h"
#include "diagrad/train/run/run_parts.h"
#include "diagrad/train/run/run_store.h"
#include "diagrad/train/run/step.h"

namespace diagrad::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSamples = 12;  // images of each kind in the report

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Images and seconds of training steps, evaluation and saving left out.
struct Meter {
  int64_t images = 0;
  double seconds = 0.0;

  void add(int64_t more_images, double more_seconds) {
    images += more_images;
    seconds += more_seconds;
  }
  double rate() const { return seconds > 0.0 ? static_cast<double>(images) / seconds : 0.0; }
};

class Trainer {
 public:
  Trainer(const TrainJob& job, TrainListener& listener);
  TrainResult run();
  /// Brings log and report up to date before an error ends the run.
  void fail(const Error& error);
  /// What std::bad_alloc does not say.
  Error out_of_memory() const;

 private:
  TrainStart outline(bool is_done);
  void announce();
  /// Empty: go on.
  std::string stop_reason() const;
  /// Why the run ends before its last epoch; empty at that.
  std::string reason_of_end() const;
  /// What result.json says already, where it is of this step.
  std::optional<TrainResult> result_before();
  /// Ends with a result that stands; the run's files stay as they are.
  TrainResult repeat(TrainResult result);
  /// False: stopped before its last batch.
  bool train_epoch();
  std::vector<data::Batch> next_batches();
  void step();
  StepResult run_step(const std::vector<data::Batch>& batches, const StepPlace& place);
  /// Evaluates, writes the epoch's row, saves. False: a signal came; the epoch stays open.
  bool close_epoch();
  /// False: a signal came.
  bool evaluate_epoch(EpochRow& row, bool& is_best);
  std::optional<Evaluation> evaluate_on(const data::DatasetPtr& set, const std::string& name,
                                        int64_t samples = 0);
  TrainResult finish(const std::string& stopped);
  void evaluate_result(TrainResult& result);
  /// Nothing where the run has no best epoch, or its weights are not there.
  std::optional<double> metric_of_best();
  bool restore_best(const TensorMap& state);

  int64_t parameter_count() const;
  /// Of the whole run, time between its processes left out.
  double seconds() { return store_.folder().seconds_before() + since(begin_); }

  const TrainJob& job_;
  const Options& options_;
  TrainListener& listener_;
  nn::Module& model_;
  RunParts parts_;
  data::Loader& loader_;
  const Ema* ema_;  ///< null: off
  Stepper stepper_;
  SignalGuard signals_;
  RunStore store_;
  Metric primary_;
  Progress progress_;
  bool has_started_ = false;
  Clock::time_point begin_ = Clock::now();
  double flushed_ = 0.0;
  Meter all_;
  Meter epoch_;
};

Trainer::Trainer(const TrainJob& job, TrainListener& listener)
    : job_(job),
      options_(job.options),
      listener_(listener),
      model_(*job.model),
      parts_(job),
      loader_(parts_.loader),
      ema_(parts_.ema.get()),
      stepper_(*job.task, model_, *parts_.optimizer, options_),
      store_(parts_, listener),
      primary_(job.task->primary()) {}

TrainResult Trainer::run() {
  for (const std::string& note : job_.notes) listener_.on_message(note);
  progress_ = store_.restore();
  begin_ = Clock::now();
  const bool is_done = progress_.epoch >= options_.epochs || !stop_reason().empty();
  if (const auto result = is_done ? result_before() : std::nullopt) return repeat(*result);
  store_.start(progress_, /*results_stay=*/is_done);
  announce();
  begin_ = Clock::now();
  while (progress_.epoch < options_.epochs && stop_reason().empty()) {
    if (!train_epoch() || !close_epoch()) break;
  }
  return finish(reason_of_end());
}

std::string Trainer::reason_of_end() const {
  return progress_.epoch < options_.epochs ? stop_reason() : "";
}

std::optional<TrainResult> Trainer::result_before() {
  auto result = standing_result(store_.folder().path(), options_);
  const bool same = result && result->steps == progress_.step &&
                    result->epochs == progress_.epoch && result->stopped == reason_of_end() &&
                    result->last.examples == job_.test->size();
  return same ? result : std::nullopt;
}

TrainResult Trainer::repeat(TrainResult result) {
  listener_.on_start(outline(/*is_done=*/true));
  listener_.on_end(result);
  return result;
}

int64_t Trainer::parameter_count() const {
  int64_t count = 0;
  for (const NamedParameter& parameter : model_.named_parameters())
    count += parameter.tensor.numel();
  return count;
}

TrainStart Trainer::outline(bool is_done) {
  TrainStart start;
  start.folder = store_.folder().path();
  start.parameters = parameter_count();
  start.frozen = parts_.frozen;
  start.model_sizes = sizes_of_model(options_, job_.train->info().image);
  for (const ParameterGroup& group : parts_.optimizer->groups()) {
    if (group.weight_decay != 0.0 || options_.weight_decay == 0.0) continue;
    for (const NamedParameter& parameter : group.parameters)
      start.undecayed.push_back(parameter.name);
  }
  start.init = store_.begin().init;
  start.epochs = options_.epochs;
  start.schedule_offset = progress_.schedule_step - progress_.step;
  start.steps = parts_.schedule.steps() - start.schedule_offset;
  start.steps_per_epoch = parts_.steps_per_epoch;
  start.metrics = store_.layout().metrics;
  start.primary = primary_;
  start.has_ema = store_.layout().has_ema;
  start.train_images = loader_.image_count();
  start.eval_images = job_.eval_set()->size();
  start.eval_set = job_.eval_name();
  start.resumed_at = store_.begin().path.empty() ? 0 : progress_.step;
  start.data = parts_.data;
  start.data_changes = store_.begin().data_changes;
  start.is_done = is_done;
  return start;
}

void Trainer::announce() {
  has_started_ = true;
  listener_.on_start(outline(/*is_done=*/false));
}

std::string Trainer::stop_reason() const {
  if (signals_.caught() != 0) return "signal";
  if (options_.max_steps > 0 && progress_.step >= options_.max_steps) return "max-steps";
  if (options_.max_time > 0.0 && since(begin_) >= options_.max_time) return "max-time";
  return {};
}

bool Trainer::train_epoch() {
  nn::train_unfrozen(model_);
  epoch_ = {};
  loader_.start(progress_.epoch, progress_.batch);
  while (progress_.batch < loader_.batch_count()) {
    if (!stop_reason().empty()) return false;
    step();
    const bool due = options_.save_every > 0 && progress_.step % options_.save_every == 0;
    if (due && progress_.batch < loader_.batch_count()) store_.save(progress_);
  }
  return true;
}

/// The batches of the next step. Where one cannot be read the run is saved as it was before it.
std::vector<data::Batch> Trainer::next_batches() {
  std::vector<data::Batch> batches;
  try {
    for (data::Batch batch;
         static_cast<int64_t>(batches.size()) < options_.accumulate && loader_.next(batch);) {
      batches.push_back(std::move(batch));
    }
  } catch (const Error&) {
    store_.save(progress_);
    throw;
  }
  return batches;
}

void Trainer::step() {
  const Clock::time_point begin = Clock::now();
  const std::vector<data::Batch> batches = next_batches();
  StepPlace place;
  place.step = progress_.step + 1;
  place.epoch = progress_.epoch + 1;
  place.first_batch = progress_.epoch * loader_.batch_count() + progress_.batch;
  progress_.lr = parts_.schedule.lr(progress_.schedule_step);
  if (const auto momentum = parts_.schedule.momentum(progress_.schedule_step)) {
    parts_.optimizer->set_momentum(*momentum);
  }
  const StepResult result = run_step(batches, place);
  progress_.step = place.step;
  ++progress_.schedule_step;
  progress_.batch += static_cast<int64_t>(batches.size());
  progress_.sums.add(result.sums);
  if (ema_) ema_->update(progress_.step);
  epoch_.add(result.images, since(begin));
  all_.add(result.images, since(begin));

  const StepRow row{
      place.step,   place.epoch,      result.images, job_.task->all_values(result.sums),
      progress_.lr, result.grad_norm, seconds()};
  store_.folder().add(row);
  if (row.seconds - flushed_ >= 1.0) {
    store_.folder().flush();
    flushed_ = row.seconds;
  }
  listener_.on_step(row);
}

StepResult Trainer::run_step(const std::vector<data::Batch>& batches, const StepPlace& place) {
  try {
    return stepper_.run(batches, place, progress_.lr);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged && error.kind() != ErrorKind::internal) throw;
    diagrad::fail(error.kind(), "{}; {}", error.what(), store_.what_is_kept());
  }
}

std::optional<Evaluation> Trainer::evaluate_on(const data::DatasetPtr& set, const std::string& name,
                                               int64_t samples) {
  EvaluateOptions options;
  options.samples = samples;
  options.batch = options_.eval_batch;
  options.workers = static_cast<int>(options_.workers);
  options.normalization = options_.normalization;
  options.progress = [&](int64_t done, int64_t total) {
    listener_.on_evaluate(name, done, total);
    return signals_.caught() == 0;
  };
  Evaluation result = evaluate(*job_.task, model_, set, options);
  if (!result.complete) return std::nullopt;
  return result;
}

bool Trainer::evaluate_epoch(EpochRow& row, bool& is_best) {
  // With --overfit-one-batch an epoch is one step.
  const int64_t samples = options_.overfit_one_batch ? 0 : kSamples;
  auto chosen = evaluate_on(job_.eval_set(), job_.eval_name(), ema_ ? 0 : samples);
  if (!chosen) return false;
  row.eval = chosen->metrics;
  if (ema_) {
    const EmaScope averaged(*ema_);
    chosen = evaluate_on(job_.eval_set(), job_.eval_name(), samples);
    if (!chosen) return false;
    row.ema = chosen->metrics;
  }
  listener_.on_evaluation(row, *chosen);
  progress_.last = ema_ ? row.ema : row.eval;
  const double value = value_of(progress_.last, primary_.name);
  is_best = progress_.best_epoch == 0 || primary_.is_better(value, progress_.best);
  if (is_best) {
    progress_.best = value;
    progress_.best_epoch = row.epoch;
  }
  return true;
}

bool Trainer::close_epoch() {
  EpochRow row;
  row.epoch = progress_.epoch + 1;
  row.step = progress_.step;
  row.lr = progress_.lr;
  row.eval_set = job_.eval_name();
  row.train = job_.task->all_values(progress_.sums);
  bool is_best = false;
  const bool is_last = row.epoch == options_.epochs;
  if (is_last || row.epoch % options_.eval_every == 0) {
    if (!evaluate_epoch(row, is_best)) return false;
  }
  row.seconds = seconds();
  row.images_per_second = epoch_.rate();
  store_.folder().add(row);
  progress_.epoch = row.epoch;
  progress_.batch = 0;
  progress_.sums = {};
  // With --overfit-one-batch an epoch is one step.
  if (is_last || !options_.overfit_one_batch) {
    store_.save(progress_);
    store_.name_checkpoint(progress_, is_best);
  }
  listener_.on_epoch(row, is_best);
  return true;
}

TrainResult Trainer::finish(const std::string& stopped) {
  store_.save(progress_);
  TrainResult result;
  result.folder = store_.folder().path();
  result.parameters = parameter_count();
  result.epochs = progress_.epoch;
  result.steps = progress_.step;
  result.images_per_second = all_.images > 0 ? all_.rate() : store_.folder().rate_before();
  result.seed = options_.seed;
  result.primary = primary_;
  result.weights = ema_ ? "ema" : "trained";
  result.chosen_on = job_.eval_name();
  result.best_epoch = progress_.best_epoch;
  result.stopped = stopped;
  evaluate_result(result);
  result.seconds = seconds();
  if (result.signal == 0) {
    listener_.on_result(result);
    store_.folder().write_result(result_json(result, options_));
  }
  listener_.on_end(result);
  return result;
}

void Trainer::fail(const Error& error) {
  if (!has_started_) return;
  try {
    store_.folder().flush();
  } catch (const Error&) {
    // The page is made from the rows that are there.
  }
  listener_.on_fail(error, progress_.step);
}

Error Trainer::out_of_memory() const {
  return Error(
      ErrorKind::internal,
      fmt::format("out of memory after step {}; try a smaller --batch than {} or a smaller "
                  "model; {}",
                  progress_.step, options_.batch, store_.what_is_kept()));
}

void Trainer::evaluate_result(TrainResult& result) {
  if (signals_.caught() == 0) {
    std::optional<EmaScope> averaged;
    if (ema_) averaged.emplace(*ema_);
    if (auto last = evaluate_on(job_.test, "test", kSamples)) result.last = std::move(*last);
  }
  if (signals_.caught() == 0) {
    const auto best = metric_of_best();
    if (!best) result.best_epoch = 0;
    result.best = best.value_or(result.last.metric(primary_.name));
  }
  result.signal = signals_.caught();
  if (result.signal != 0) result.stopped = "signal";
}

/// Chosen on the test set, it is known. Chosen on the validation set, the test set sees these
/// weights now, for the first time.
std::optional<double> Trainer::metric_of_best() {
  if (progress_.best_epoch == 0) return std::nullopt;
  if (!job_.validation) return progress_.best;
  const TensorMap state = model_.state_dict();
  TensorMap now;
  for (const auto& named : state) now[named.first] = named.second.clone();
  if (!restore_best(state)) return std::nullopt;
  const auto result = evaluate_on(job_.test, "test");
  restore(state, now, "model");
  return result ? value_of(result->metrics, primary_.name) : 0.0;
}

/// False where `best` is not of the best epoch: a run that goes on elsewhere from a single file
/// does not have it, and one that lost its newest state may have one of a later epoch.
bool Trainer::restore_best(const TensorMap& state) {
  const CheckpointFolder& checkpoints = store_.folder().checkpoints();
  if (!checkpoints.has("best")) return false;
  try {
    const Checkpoint best = read_checkpoint(checkpoints.file("best"));
    if (best.info.progress.epoch != progress_.best_epoch) return false;
    restore(state, best.part(ema_ ? "ema" : "model"), checkpoints.file("best"));
    return true;
  } catch (const Error& error) {
    listener_.on_message(fmt::format("{}; the result has the weights at the end", error.what()));
    return false;
  }
}

}  // namespace

TrainResult train(const TrainJob& job, TrainListener& listener) {
  job.options.validate();
  const MathModeScope math(parse_math_mode(job.options.math));
  Trainer trainer(job, listener);
  try {
    return trainer.run();
  } catch (const Error& error) {
    trainer.fail(error);
    throw;
  } catch (const std::bad_alloc&) {
    const Error error = trainer.out_of_memory();
    trainer.fail(error);
    throw error;
  }
}

}  // namespace diagrad::train
