#include "diagrad/train/tasks/denoise/sampling.h"

#include <algorithm>
#include <array>
#include <utility>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/unary.h"

namespace diagrad::train {
namespace {

constexpr std::array<std::string_view, 3> kSpacings = {"leading", "linspace", "trailing"};

/// a / b for a >= 0 and b > 0, the nearest integer, halves up.
int64_t rounded_quotient(int64_t a, int64_t b) {
  return (2 * a + b) / (2 * b);
}

/// The i-th step from the end of the way.
int64_t step_at(int64_t i, int64_t total, int64_t count, Spacing spacing) {
  switch (spacing) {
    case Spacing::leading:
      return i * total / count;
    case Spacing::linspace:
      return count == 1 ? total - 1 : rounded_quotient(i * (total - 1), count - 1);
    case Spacing::trailing:
      break;
  }
  return rounded_quotient((i + 1) * total, count) - 1;
}

/// Adds weight * term to a sum that is undefined while it is empty.
void accumulate(Tensor& sum, const Tensor& term, double weight) {
  if (weight == 0.0) return;
  const Tensor product = mul(term, weight);
  sum = sum.defined() ? add(sum, product) : product;
}

}  // namespace

std::string_view name(Spacing spacing) {
  return kSpacings.at(static_cast<size_t>(spacing));
}

Spacing parse_spacing(std::string_view text) {
  const auto found = std::find(kSpacings.begin(), kSpacings.end(), text);
  DG_CHECK(found != kSpacings.end(), "spacing: '{}' is none of leading, linspace, trailing", text);
  return static_cast<Spacing>(found - kSpacings.begin());
}

std::vector<int64_t> sampling_steps(int64_t schedule_steps, int64_t steps, Spacing spacing) {
  DG_CHECK(steps >= 1 && steps <= schedule_steps,
           "steps: {} steps of sampling, the schedule has {}; use 1 to {}", steps, schedule_steps,
           schedule_steps);
  std::vector<int64_t> visited;
  for (int64_t i = steps - 1; i >= 0; --i) {
    visited.push_back(step_at(i, schedule_steps, steps, spacing));
  }
  return visited;
}

Denoiser guided(Denoiser conditional, Denoiser unconditional, double guidance) {
  if (guidance == 1.0) return conditional;
  DG_CHECK(unconditional != nullptr,
           "guidance: {} needs a net that was trained with a null class; use 1", guidance);
  if (guidance == 0.0) return unconditional;
  return [conditional = std::move(conditional), unconditional = std::move(unconditional), guidance](
             const Tensor& x, int64_t t) {
    const Tensor without = unconditional(x, t);
    return add(without, mul(sub(conditional(x, t), without), guidance));
  };
}

Tensor image_noise(std::string_view purpose, uint64_t seed, std::span<const int64_t> images,
                   uint64_t draw, const Shape& image, DType dtype) {
  Shape all = image;
  all.insert(0, std::ssize(images));
  Tensor noise = Tensor::empty(all, dtype);
  int64_t offset = 0;
  for (const int64_t number : images) {
    RandomStream random(seed, stream_id(purpose, static_cast<uint64_t>(number), draw));
    noise.strided(image, contiguous_strides(image), offset)
        .copy_(normal(image, 0.0, 1.0, random, dtype));
    offset += image.numel();
  }
  return noise;
}

Tensor sample(const Denoiser& denoiser, DenoiseTarget target, const NoiseSchedule& schedule,
              const Sampler& sampler, const SamplingOptions& options) {
  const NoGrad no_grad;
  const auto noise = [&](uint64_t draw) {
    return image_noise("sample", options.seed, options.images, draw, options.image, options.dtype);
  };
  const std::vector<int64_t> steps =
      sampling_steps(schedule.steps(), options.steps, options.spacing);
  Tensor x = noise(0);
  Tensor x0_before;
  SamplerMove move;
  for (size_t i = 0; i < steps.size(); ++i) {
    const int64_t next = i + 1 < steps.size() ? steps[i + 1] : NoiseSchedule::kClean;
    if (i > 0) move.before = move.from;
    move.from = schedule.alpha_bar(steps[i]);
    move.to = schedule.alpha_bar(next);
    const Tensor output = denoiser(x, steps[i]);
    DG_CHECK(output.shape() == x.shape(), "sample: the net gives {} for noisy images {}",
             output.shape(), x.shape());
    Tensor x0 = convert(x, output, target, DenoiseTarget::x0, move.from);
    if (options.clip) x0 = clamp(x0, -1.0, 1.0);
    const SamplerWeights weights = sampler.weights(move);
    Tensor moved;
    accumulate(moved, x, weights.x);
    accumulate(moved, x0, weights.x0);
    accumulate(moved, x0_before, weights.x0_before);
    if (weights.noise != 0.0) accumulate(moved, noise(i + 1), weights.noise);
    x = moved;
    x0_before = x0;
  }
  return x;
}

}  // namespace diagrad::train
