#include "diagrad/train/tasks/denoise/diffusion.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/losses.h"

namespace diagrad::train {
namespace {

RandomStream next_stream() {
  const nn::RandomScope::Draw draw = nn::RandomScope::next();
  return RandomStream(draw.seed, draw.stream);
}

/// A function of the level of each image, [B,1,1,1].
Tensor per_image(const NoiseSchedule& schedule, std::span<const int64_t> steps, DType dtype,
                 const std::function<double(double alpha_bar)>& value) {
  std::vector<double> values;
  for (const int64_t step : steps) values.push_back(value(schedule.alpha_bar(step)));
  return Tensor::from(std::span<const double>(values), {std::ssize(steps), 1, 1, 1}).to(dtype);
}

void check_label(const nn::Module& net, int64_t label, ErrorKind kind) {
  if (label >= 0 && label < net.class_count()) return;
  fail(kind, "denoise: class {}, but the net has classes 0 to {}", label, net.class_count() - 1);
}

Denoiser with_classes(nn::Module& net, Tensor classes) {
  return [&net, classes = std::move(classes)](const Tensor& x, int64_t t) {
    const Tensor time = Tensor::full({x.size(0)}, static_cast<double>(t), x.dtype());
    return net.call({.image = x, .time = time, .class_label = classes});
  };
}

}  // namespace

std::vector<Option> diffusion_options() {
  return {choice_option("schedule", {"linear", "cosine"},
                        "of the noise; linear: beta from 1e-4 to 0.02, for 1000 steps"),
          int_option("steps", 1000, 1, 1'000'000, "of the schedule"),
          choice_option("target", {"epsilon", "v", "x0"}, "what the net gives"),
          float_option("min-snr", 0.0, 0.0, 1e30, "gamma of min-SNR weights; 0: no weights"),
          bool_option("zero-snr", false, "rescale the schedule so that it ends at noise alone"),
          float_option("label-dropout", 0.1, 0.0, 1.0,
                       "share of images trained without their class, for guidance; of nets that "
                       "take a class")};
}

Diffusion make_diffusion(const OptionValues& options) {
  const DenoiseTarget target = parse_denoise_target(options.get_choice("target"));
  const bool zero_snr = options.get_bool("zero-snr");
  DG_CHECK(!zero_snr || target != DenoiseTarget::epsilon,
           "task: target=epsilon of 'denoise' says nothing of the image at the last step of "
           "zero-snr=true, which is noise alone; use target=v or target=x0");
  const int64_t steps = options.get_int("steps");
  NoiseSchedule schedule = options.get_choice("schedule") == "cosine"
                               ? NoiseSchedule::cosine(steps)
                               : NoiseSchedule::linear(steps);
  if (zero_snr) schedule = schedule.with_zero_terminal_snr();
  return {.schedule = std::move(schedule),
          .target = target,
          .min_snr = options.get_float("min-snr"),
          .label_dropout = options.get_float("label-dropout")};
}

TrainingDraw draw_training(const Tensor& images, int64_t schedule_steps) {
  TrainingDraw draw;
  RandomStream of_steps = next_stream();
  for (int64_t b = 0; b < images.size(0); ++b) draw.steps.push_back(of_steps.below(schedule_steps));
  RandomStream of_noise = next_stream();
  draw.noise = normal(images.shape(), 0.0, 1.0, of_noise, images.dtype());
  return draw;
}

NoisyImages add_noise(const Diffusion& diffusion, const Tensor& images,
                      std::span<const int64_t> steps, const Tensor& noise) {
  DG_CHECK(
      images.rank() == 4 && images.size(0) == std::ssize(steps) && images.shape() == noise.shape(),
      "denoise: images {}, noise {} and {} steps", images.shape(), noise.shape(), steps.size());
  const auto column = [&](auto value) {
    return per_image(diffusion.schedule, steps, images.dtype(), value);
  };
  const Tensor signal_share = column([](double a) { return std::sqrt(a); });
  const Tensor noise_share = column([](double a) { return std::sqrt(1.0 - a); });
  NoisyImages noisy;
  noisy.x = add(mul(images, signal_share), mul(noise, noise_share));
  std::vector<double> times(steps.begin(), steps.end());
  noisy.time = Tensor::from(std::span<const double>(times), {std::ssize(steps)}).to(images.dtype());
  switch (diffusion.target) {
    case DenoiseTarget::epsilon:
      noisy.target = noise;
      break;
    case DenoiseTarget::v:
      noisy.target = sub(mul(noise, signal_share), mul(images, noise_share));
      break;
    case DenoiseTarget::x0:
      noisy.target = images;
      break;
  }
  return noisy;
}

Tensor weighted_mse(const Diffusion& diffusion, const Tensor& output, const Tensor& target,
                    std::span<const int64_t> steps) {
  if (diffusion.min_snr == 0.0) return mse(output, target);
  const auto root_of_weight = [&](double a) {
    return std::sqrt(min_snr_weight(diffusion.target, a, diffusion.min_snr));
  };
  const Tensor roots = per_image(diffusion.schedule, steps, output.dtype(), root_of_weight);
  return mse(mul(output, roots), mul(target, roots));
}

Tensor class_labels(const nn::Module& net, const data::Batch& batch) {
  if (net.class_count() == 0) return {};
  const Tensor& labels = batch.target("label").values;
  for (int64_t b = 0; b < labels.numel(); ++b) {
    check_label(net, labels.data<int64_t>()[b], ErrorKind::data);
  }
  return labels;
}

Tensor drop_labels(const nn::Module& net, const Tensor& labels, double probability) {
  RandomStream random = next_stream();
  Tensor kept = labels.clone();
  for (int64_t b = 0; b < kept.numel(); ++b) {
    if (random.uniform() < probability) kept.data<int64_t>()[b] = net.class_count();
  }
  return kept;
}

Denoiser net_denoiser(nn::Module& net, const Diffusion& diffusion, std::span<const int64_t> labels,
                      double guidance) {
  const int64_t classes = net.class_count();
  if (classes == 0) {
    DG_CHECK(labels.empty(), "class: {} is asked for, but the net takes no class", labels.front());
    return guided(with_classes(net, {}), nullptr, guidance);
  }
  DG_CHECK(!labels.empty(), "class: the net takes one of 0 to {}, and none is given", classes - 1);
  for (const int64_t label : labels) check_label(net, label, ErrorKind::usage);
  const Shape shape = {std::ssize(labels)};
  Denoiser without;
  if (diffusion.label_dropout > 0.0) {
    without = with_classes(net, Tensor::full(shape, static_cast<double>(classes), DType::i64));
  }
  return guided(with_classes(net, Tensor::from(labels, shape)), std::move(without), guidance);
}

}  // namespace diagrad::train
