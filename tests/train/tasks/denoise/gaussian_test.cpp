// Samplers with a denoiser that is exact: what is left are their own errors. Each check also meets
// a sampler that is off by one step in a, and must fail for it. Formulas in the note "Diffusion".
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "diagrad/train/tasks/denoise/sampling.h"
#include "tests/train/tasks/denoise/gaussian.h"

namespace diagrad::testing {
namespace {

using train::Denoiser;
using train::DenoiseTarget;
using train::make_sampler;
using train::NoiseSchedule;
using train::sample;
using train::sampling_steps;
using train::SamplingOptions;
using train::Spacing;

constexpr DenoiseTarget kTargets[] = {DenoiseTarget::epsilon, DenoiseTarget::v, DenoiseTarget::x0};
constexpr Spacing kSpacings[] = {Spacing::leading, Spacing::linspace, Spacing::trailing};

SamplingOptions f64_options(int64_t steps, Spacing spacing) {
  return {.image = {2, 3, 1},
          .images = {0, 5, 9},
          .seed = 11,
          .steps = steps,
          .spacing = spacing,
          .clip = false,
          .dtype = DType::f64};
}

using Move = std::function<double(const ScalarMove&)>;

/// The largest difference between the sampler, which reads the levels of `schedule`, and its own
/// recursion over the true levels, element by element, with the same noise.
double recursion_error(const std::string& sampler, const Move& move, const Gaussian& data,
                       const NoiseSchedule& truth, const NoiseSchedule& schedule,
                       DenoiseTarget target, const SamplingOptions& options) {
  const Tensor result =
      sample(data.denoiser(truth, target), target, schedule, *make_sampler(sampler), options);
  const auto noise = [&](uint64_t draw) {
    return train::image_noise("sample", options.seed, options.images, draw, options.image,
                              DType::f64);
  };
  Tensor x = noise(0);
  Tensor x0_before = Tensor::zeros_like(x);
  double before = -1.0;
  const std::vector<int64_t> steps = sampling_steps(truth.steps(), options.steps, options.spacing);
  for (size_t k = 0; k < steps.size(); ++k) {
    const double from = truth.alpha_bar(steps[k]);
    const double to = k + 1 < steps.size() ? truth.alpha_bar(steps[k + 1]) : 1.0;
    const Tensor z = noise(k + 1);
    for (int64_t i = 0; i < x.numel(); ++i) {
      double& value = x.data<double>()[i];
      double& old = x0_before.data<double>()[i];
      const double x0 = data.slope(from) * value + data.offset(from);
      value = move({value, x0, old, z.data<double>()[i], from, to, before});
      old = x0;
    }
    before = from;
  }
  double largest = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    largest = std::max(largest, std::abs(x.data<double>()[i] - result.data<double>()[i]));
  }
  return largest;
}

struct Case {
  std::string sampler;
  Move move;
};

std::vector<Case> deterministic_and_random_cases() {
  const auto ddim = [](double eta) {
    return [eta](const ScalarMove& m) { return ddim_move(m, eta); };
  };
  return {{"ddim", ddim(0.0)},
          {"ddim:eta=0.3", ddim(0.3)},
          {"ddim:eta=1", ddim(1.0)},
          {"dpm-solver++", dpm_solver_move},
          {"ddpm", [](const ScalarMove& m) { return ddpm_move(m, false); }},
          {"ddpm:variance=large", [](const ScalarMove& m) { return ddpm_move(m, true); }}};
}

TEST_CASE("samplers give the recursion of their own affine move to 1e-10") {
  const Gaussian data{0.4, 0.5};
  for (const NoiseSchedule& truth : {NoiseSchedule::linear(1000), NoiseSchedule::cosine(1000)}) {
    for (const Case& each : deterministic_and_random_cases()) {
      for (const Spacing spacing : kSpacings) {
        for (const DenoiseTarget target : kTargets) {
          CAPTURE(each.sampler);
          CAPTURE(name(spacing));
          CAPTURE(name(target));
          const auto error = [&](const NoiseSchedule& schedule, int64_t steps) {
            return recursion_error(each.sampler, each.move, data, truth, schedule, target,
                                   f64_options(steps, spacing));
          };
          for (const int64_t steps : {1, 2, 3, 20}) CHECK(error(truth, steps) <= 1e-10);
          CHECK(error(off_by_one(truth), 20) > 1e-4);
        }
      }
    }
  }
}

double distance_from(const Tensor& x, double value) {
  double largest = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double distance = std::abs(x.data<double>()[i] - value);
    if (!(distance <= largest)) largest = distance;  // NaN, too
  }
  return largest;
}

TEST_CASE("on one-point data every sampler ends at the point, for every number of steps") {
  const Gaussian point{0.7, 0.0};
  const auto error = [&](const std::string& sampler, const NoiseSchedule& truth,
                         const NoiseSchedule& schedule, int64_t steps, Spacing spacing) {
    return distance_from(
        sample(point.denoiser(truth, DenoiseTarget::epsilon), DenoiseTarget::epsilon, schedule,
               *make_sampler(sampler), f64_options(steps, spacing)),
        point.mean);
  };
  const NoiseSchedule small = NoiseSchedule::cosine(23);
  const NoiseSchedule large = NoiseSchedule::linear(1000);
  for (const Case& each : deterministic_and_random_cases()) {
    for (const Spacing spacing : kSpacings) {
      CAPTURE(each.sampler);
      CAPTURE(name(spacing));
      for (int64_t steps = 1; steps <= small.steps(); ++steps) {
        CAPTURE(steps);
        CHECK(error(each.sampler, small, small, steps, spacing) <= 1e-10);
        CHECK(error(each.sampler, small, off_by_one(small), steps, spacing) > 1e-4);
      }
      for (const int64_t steps : {1, 2, 3, 50, 999, 1000}) {
        CAPTURE(steps);
        CHECK(error(each.sampler, large, large, steps, spacing) <= 1e-10);
      }
    }
  }
}

/// How far the sampler is from the exact flow at the last step that it visits, where all lists of
/// the spacing end.
double flow_error(const std::string& sampler, const Gaussian& data, const NoiseSchedule& truth,
                  const NoiseSchedule& schedule, int64_t steps, Spacing spacing) {
  const Denoiser exact = data.denoiser(truth, DenoiseTarget::epsilon);
  Tensor first;
  Tensor last;
  const Denoiser watched = [&](const Tensor& x, int64_t t) {
    if (!first.defined()) first = x;
    last = x;
    return exact(x, t);
  };
  sample(watched, DenoiseTarget::epsilon, schedule, *make_sampler(sampler),
         f64_options(steps, spacing));
  const std::vector<int64_t> visited = sampling_steps(truth.steps(), steps, spacing);
  double largest = 0.0;
  for (int64_t i = 0; i < last.numel(); ++i) {
    const double expected = data.flow(first.data<double>()[i], truth.alpha_bar(visited.front()),
                                      truth.alpha_bar(visited.back()));
    largest = std::max(largest, std::abs(last.data<double>()[i] - expected));
  }
  return largest;
}

TEST_CASE("DDIM approaches the exact flow by the first order, 2M by the second") {
  const NoiseSchedule truth = NoiseSchedule::linear(1000);
  for (const double deviation : {1.0, 2.0}) {
    for (const Spacing spacing : {Spacing::leading, Spacing::linspace}) {
      CAPTURE(deviation);
      CAPTURE(name(spacing));
      const Gaussian data{0.4, deviation};
      const auto gain = [&](const std::string& sampler, const NoiseSchedule& schedule) {
        return flow_error(sampler, data, truth, schedule, 100, spacing) /
               flow_error(sampler, data, truth, schedule, 200, spacing);
      };
      const double first = gain("ddim", truth);
      CHECK(first > 1.8);
      CHECK(first < 2.2);
      const double second = gain("dpm-solver++", truth);
      CHECK(second > 3.5);
      CHECK(second < 4.5);
      const double planted_first = gain("ddim", off_by_one(truth));
      CHECK((planted_first < 1.8 || planted_first > 2.2));
      const double planted_second = gain("dpm-solver++", off_by_one(truth));
      CHECK((planted_second < 3.5 || planted_second > 4.5));
    }
  }
}

struct Moments {
  double mean = 0.0;
  double variance = 0.0;
};

/// How many standard errors mean and variance of 20,000 samples are from the recursion.
Moments errors_of_moments(const Case& each, const Gaussian& data, const NoiseSchedule& truth,
                          const NoiseSchedule& schedule, int64_t steps) {
  SamplingOptions options = f64_options(steps, Spacing::trailing);
  options.image = {50, 100, 1};
  options.images = {0, 1, 2, 3};
  const Tensor samples =
      sample(data.denoiser(truth, DenoiseTarget::epsilon), DenoiseTarget::epsilon, schedule,
             *make_sampler(each.sampler), options);
  Moments expected{0.0, 1.0};
  const std::vector<int64_t> visited = sampling_steps(truth.steps(), steps, options.spacing);
  for (size_t k = 0; k < visited.size(); ++k) {
    const double from = truth.alpha_bar(visited[k]);
    const double to = k + 1 < visited.size() ? truth.alpha_bar(visited[k + 1]) : 1.0;
    const auto move = [&](double x, double z) {
      return each.move({x, data.slope(from) * x + data.offset(from), 0.0, z, from, to, -1.0});
    };
    const double constant = move(0.0, 0.0);
    const double of_x = move(1.0, 0.0) - constant;
    const double of_z = move(0.0, 1.0) - constant;
    expected = {of_x * expected.mean + constant, of_x * of_x * expected.variance + of_z * of_z};
  }
  const auto count = static_cast<double>(samples.numel());
  double sum = 0.0;
  for (int64_t i = 0; i < samples.numel(); ++i) sum += samples.data<double>()[i];
  Moments found{sum / count, 0.0};
  for (int64_t i = 0; i < samples.numel(); ++i) {
    const double d = samples.data<double>()[i] - found.mean;
    found.variance += d * d / (count - 1.0);
  }
  return {std::abs(found.mean - expected.mean) / std::sqrt(expected.variance / count),
          std::abs(found.variance - expected.variance) /
              (expected.variance * std::sqrt(2.0 / (count - 1.0)))};
}

TEST_CASE("DDPM and DDIM with eta give the mean and variance of their recursion") {
  const Gaussian data{0.4, 0.5};
  const NoiseSchedule truth = NoiseSchedule::cosine(20);
  for (const Case& each : deterministic_and_random_cases()) {
    if (each.sampler == "ddim" || each.sampler == "dpm-solver++") continue;
    for (const int64_t steps : {5, 20}) {
      CAPTURE(each.sampler);
      CAPTURE(steps);
      const Moments right = errors_of_moments(each, data, truth, truth, steps);
      CHECK(right.mean <= 4.0);
      CHECK(right.variance <= 4.0);
      const Moments planted = errors_of_moments(each, data, truth, off_by_one(truth), steps);
      CHECK(std::max(planted.mean, planted.variance) > 4.0);
    }
  }
}

}  // namespace
}  // namespace diagrad::testing
