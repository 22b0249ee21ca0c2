#include "diagrad/train/bench/step_bench.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "diagrad/core/allocator.h"
#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/peak.h"
#include "diagrad/core/process.h"
#include "diagrad/core/threads.h"
#include "diagrad/data/augmentation.h"
#include "diagrad/data/loader.h"
#include "diagrad/nn/freeze.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/optimization.h"
#include "diagrad/train/run/step.h"
#include "diagrad/train/tasks/synthetic.h"

namespace diagrad::train {
namespace {

using Clock = PhaseSpan::Clock;

double median(std::vector<double> values) {
  return spread_of(std::move(values)).median;
}

/// What is trained, and the figures of each timed step.
class Session {
 public:
  Session(const Options& options, const StepBenchOptions& bench);
  void step(Profile* profile);
  void forget_times();
  void fill(StepBench& result) const;
  /// Of the parameters, gradients and state that the optimizer reads and writes in a step.
  int64_t update_bytes() const;

 private:
  void read_batch();

  Options options_;
  std::shared_ptr<const Task> task_;
  std::shared_ptr<nn::Module> model_;
  std::unique_ptr<Optimizer> optimizer_;
  Stepper stepper_;
  data::Loader loader_;
  data::Batch batch_;
  int64_t steps_ = 0;
  std::vector<double> step_seconds_;
  std::vector<double> data_seconds_;
  std::vector<double> forward_seconds_;
  std::vector<double> backward_seconds_;
  std::vector<double> optimizer_seconds_;
};

std::shared_ptr<nn::Module> make_trained(const Options& options, const Shape& input) {
  auto model = make_model(options, input, options.classes);
  model->to(parse_dtype(options.precision));
  nn::freeze(*model, options.freeze);
  nn::train_unfrozen(*model);
  return model;
}

data::LoaderOptions loader_options(const Options& options) {
  return {.batch = options.batch,
          .seed = static_cast<uint64_t>(options.seed),
          .augmentations = data::parse_augmentations(options.augmentations()),
          .normalization = options.normalization};
}

Session::Session(const Options& options, const StepBenchOptions& bench)
    : options_(options),
      task_(make_task(options_.task)),
      model_(make_trained(options_, bench.input)),
      optimizer_(make_optimizer(options_, model_->named_parameters())),
      stepper_(*task_, *model_, *optimizer_, options_),
      loader_(synthetic_set(find_task(options_.task), bench.input, options_.classes, options_.batch,
                            static_cast<uint64_t>(options_.seed)),
              loader_options(options_)) {
  loader_.start(1);
}

void Session::read_batch() {
  if (loader_.next(batch_)) return;
  loader_.start(steps_ + 1);
  loader_.next(batch_);
}

void Session::step(Profile* profile) {
  constexpr double kRate = 1e-6;
  const auto before = Clock::now();
  read_batch();
  data_seconds_.push_back(std::chrono::duration<double>(Clock::now() - before).count());
  ++steps_;
  if (profile != nullptr) profile->begin_step();
  const auto start = Clock::now();
  StepResult result;
  if (profile != nullptr) {
    const autograd::ObserverScope scope(*profile);
    result = stepper_.run({&batch_, 1}, {steps_, steps_, steps_ - 1}, kRate);
  } else {
    result = stepper_.run({&batch_, 1}, {steps_, steps_, steps_ - 1}, kRate);
  }
  step_seconds_.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  if (profile != nullptr) profile->end_step(result.phases);
  const auto sum = [&](std::string_view name) {
    double seconds = 0.0;
    for (const PhaseSpan& phase : result.phases) {
      if (phase.name != name) continue;
      seconds += std::chrono::duration<double>(phase.end - phase.start).count();
    }
    return seconds;
  };
  forward_seconds_.push_back(sum("forward"));
  backward_seconds_.push_back(sum("backward"));
  optimizer_seconds_.push_back(sum("optimizer"));
}

void Session::forget_times() {
  for (auto* times : {&step_seconds_, &data_seconds_, &forward_seconds_, &backward_seconds_,
                      &optimizer_seconds_}) {
    times->clear();
  }
}

void Session::fill(StepBench& result) const {
  for (const nn::NamedTensor& parameter : model_->named_parameters()) {
    result.parameters += parameter.tensor.numel();
  }
  result.step_seconds = spread_of(step_seconds_);
  result.data_seconds = median(data_seconds_);
  result.forward_seconds = median(forward_seconds_);
  result.backward_seconds = median(backward_seconds_);
  result.optimizer_seconds = median(optimizer_seconds_);
}

int64_t Session::update_bytes() const {
  int64_t parameters = 0;
  for (const nn::NamedTensor& parameter : model_->named_parameters()) {
    parameters += parameter.tensor.numel() * size_of(parameter.tensor.dtype());
  }
  int64_t state = 0;
  for (const auto& entry : optimizer_->state()) {
    state += entry.second.numel() * size_of(entry.second.dtype());
  }
  // The norm reads the gradients; the update reads them again, and changes weights and state.
  return 2 * parameters + 2 * (parameters + state);
}

/// What others do while this process sleeps.
std::optional<double> foreign_share_now() {
  const ForeignCpu foreign;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return foreign.share();
}

void time_steps(Session& session, const StepBenchOptions& bench, StepBench& result) {
  const int64_t resident = peak_resident_bytes();
  CpuAllocator& allocator = CpuAllocator::instance();
  allocator.reset_peak();
  result.startup_seconds = seconds_since_process_start();
  Profile count;
  session.step(&count);
  for (const ProfileEvent& event : count.operations()) {
    if (event.pass == "forward") result.multiply_adds += event.multiply_adds;
    result.bytes += event.bytes;
  }
  result.bytes += session.update_bytes();
  result.foreign_before = foreign_share_now();
  for (int64_t i = 1; i < bench.warmup; ++i) session.step(nullptr);
  session.forget_times();
  if (bench.profile) result.profile = std::make_unique<Profile>();
  const int64_t blocks = allocator.stats().system_allocations;
  const ForeignCpu foreign;
  for (int64_t i = 0; i < bench.steps; ++i) session.step(result.profile.get());
  result.foreign_during = foreign.share();
  result.system_allocations = allocator.stats().system_allocations - blocks;
  result.allocator_peak_bytes = allocator.stats().peak_bytes;
  result.peak_memory_bytes = peak_resident_bytes() - resident;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  DG_CHECK(!values.empty(), "spread_of: no values");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double middle =
      values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
  return {middle, values.front(), values.back()};
}

StepBench bench_steps(const Options& options, const StepBenchOptions& bench) {
  DG_CHECK(bench.steps >= 1 && bench.warmup >= 1,
           "bench_steps: {} timed steps after {} others, expected at least one of each",
           bench.steps, bench.warmup);
  const MathModeScope math(parse_math_mode(options.math));
  StepBench result;
  result.threads = num_threads();
  {
    Session session(options, bench);
    time_steps(session, bench, result);
    session.fill(result);
  }
  result.peak_flops = measured_peak(result.threads, parse_dtype(options.precision));
  result.bandwidth = measured_bandwidth(result.threads);
  return result;
}

}  // namespace diagrad::train
