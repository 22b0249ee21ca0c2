#include "diagrad/train/run/step.h"

#include <cmath>
#include <string>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/divergence.h"
#include "diagrad/train/run/evaluate.h"

namespace diagrad::train {
namespace {

/// The sign of a NaN says nothing.
std::string text(double value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

/// The phase that began where the last one ended.
void end_phase(const char* name, StepResult& result) {
  result.phases.push_back({name, result.phases.back().end, PhaseSpan::Clock::now()});
}

}  // namespace

Stepper::Stepper(const Task& task, nn::Module& model, Optimizer& optimizer, const Options& options)
    : task_(task),
      model_(model),
      optimizer_(optimizer),
      options_(options),
      mixing_{.mixup = options.mixup,
              .cutmix = options.cutmix,
              .cutmix_share = options.mix_switch,
              .seed = static_cast<uint64_t>(options.seed)},
      dtype_(dtype_of(model)) {}

StepResult Stepper::run(std::span<const data::Batch> batches, const StepPlace& place, double lr) {
  StepResult result;
  all_passes(batches, place, result);
  result.grad_norm = gradient_norm(optimizer_.groups());
  if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm)) {
    explain(batches, place, result);
  }
  optimizer_.step(lr, clip_scale(result.grad_norm, options_.clip_grad_norm));
  end_phase("optimizer", result);
  return result;
}

void Stepper::all_passes(std::span<const data::Batch> batches, const StepPlace& place,
                         StepResult& result) {
  const auto start = PhaseSpan::Clock::now();
  optimizer_.zero_grad();
  result.phases.push_back({"optimizer", start, PhaseSpan::Clock::now()});
  for (const data::Batch& batch : batches) result.images += batch.size();
  int64_t number = place.first_batch;
  for (const data::Batch& batch : batches) {
    const auto share = static_cast<double>(batch.size());
    pass(batch, number++, share / static_cast<double>(result.images), result);
    end_phase("backward", result);
  }
}

void Stepper::pass(const data::Batch& batch, int64_t number, double weight, StepResult& result) {
  const nn::RandomScope random(static_cast<uint64_t>(options_.seed), static_cast<uint64_t>(number));
  data::Batch converted = mixing_.is_on() ? data::mix(batch, mixing_, number) : batch;
  converted.images = converted.images.to(dtype_);
  TaskStep step = task_.forward(model_, converted);
  const double loss = step.loss.item();
  result.loss += weight * loss;
  step.sums.loss = loss * static_cast<double>(batch.size());
  result.sums.add(step.sums);
  end_phase("forward", result);
  backward(step.loss, Tensor::full(step.loss.shape(), weight, step.loss.dtype()));
}

void Stepper::explain(std::span<const data::Batch> batches, const StepPlace& place,
                      const StepResult& result) {
  const std::string where =
      fmt::format("diverged at step {} (epoch {}): the loss is {}, the gradient norm {}",
                  place.step, place.epoch, text(result.loss), text(result.grad_norm));
  const std::string advice = fmt::format("try a smaller --lr than {}, --warmup or --clip-grad-norm",
                                         options_.learning_rate());
  // Not the buffers: statistics of this very step are in them already.
  TensorMap weights;
  for (const NamedParameter& parameter : model_.named_parameters()) {
    weights[parameter.name] = parameter.tensor;
  }
  const std::string bad = first_not_finite(weights);
  if (!bad.empty() && place.step > 1) {
    fail(ErrorKind::diverged, "{}; {} went bad with the update of step {}; {}", where, bad,
         place.step - 1, advice);
  }
  NonFiniteFinder finder;
  {
    const autograd::ObserverScope scope(finder);
    StepResult again;
    all_passes(batches, place, again);
  }
  fail(ErrorKind::diverged, "{}; first bad operation: {}; {}", where,
       finder.found().empty() ? "none when run again" : finder.found(), advice);
}

}  // namespace diagrad::train
