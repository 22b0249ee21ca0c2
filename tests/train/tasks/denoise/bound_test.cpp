// The variational bound against integrals, and against the exact posterior of a step.
#include "diagrad/train/tasks/denoise/bound.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/random.h"
#include "diagrad/data/cifar.h"
#include "diagrad/data/loader.h"
#include "diagrad/models/registry.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/tasks/denoise/bits_per_dimension.h"
#include "diagrad/train/tasks/denoise/diffusion.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"
#include "tests/train/tasks/denoise/gaussian.h"

namespace diagrad::testing {
namespace {

using doctest::Approx;
using train::BoundOptions;
using train::DenoiseTarget;
using train::NoiseSchedule;
using train::VariationalBound;

double density(double x, double mean, double variance) {
  return std::exp(-(x - mean) * (x - mean) / (2.0 * variance)) /
         std::sqrt(2.0 * std::numbers::pi * variance);
}

/// Simpson's rule.
double integral(const std::function<double(double)>& f, double from, double to) {
  constexpr int kParts = 4000;
  const double step = (to - from) / kParts;
  double sum = f(from) + f(to);
  for (int i = 1; i < kParts; ++i) sum += f(from + i * step) * (i % 2 == 1 ? 4.0 : 2.0);
  return sum * step / 3.0;
}

TEST_CASE("the divergence of two normal distributions is its integral, and never below 0") {
  struct Pair {
    double difference, from, to;
  };
  for (const Pair& p : {Pair{0.0, 1.0, 1.0}, Pair{0.7, 0.5, 2.0}, Pair{0.1, 2.0, 0.5},
                        Pair{1e-3, 1.0, 1.0 + 1e-6}}) {
    const double reach = 12.0 * std::sqrt(p.from);
    const auto f = [&](double x) {
      const double log_ratio = 0.5 * std::log(p.to / p.from) - x * x / (2.0 * p.from) +
                               (x - p.difference) * (x - p.difference) / (2.0 * p.to);
      return density(x, 0.0, p.from) * log_ratio;
    };
    const double divergence = train::normal_divergence(p.difference * p.difference, p.from, p.to);
    CHECK(divergence == Approx(integral(f, -reach, reach)).epsilon(1e-9));
  }
  for (int i = -200; i <= 200; ++i) {
    CHECK(train::normal_divergence(0.0, 1.0 + i * 1e-16, 1.0) >= 0.0);
  }
}

TEST_CASE("the bins of a pixel are the integrals of the density, and sum to 1") {
  for (const double deviation : {0.004, 0.05, 1.5}) {
    for (const double mean : {-1.0, -0.3, 0.7123, 1.4}) {
      CAPTURE(deviation);
      CAPTURE(mean);
      double sum = 0.0;
      for (int64_t byte = 0; byte < 256; ++byte) {
        const double value = train::log_bin_probability(byte, mean, deviation);
        CHECK(std::isfinite(value));
        CHECK(value <= 0.0);
        sum += std::exp(value);
      }
      CHECK(sum == Approx(1.0).epsilon(1e-12));
      const auto f = [&](double x) { return density(x, mean, deviation * deviation); };
      for (const int64_t byte : {1, 90, 218, 254}) {
        const double centre = 2.0 * static_cast<double>(byte) / 255.0 - 1.0;
        const double expected = integral(f, centre - 1.0 / 255.0, centre + 1.0 / 255.0);
        if (expected < 1e-200) continue;
        CHECK(train::log_bin_probability(byte, mean, deviation) ==
              Approx(std::log(expected)).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("a bin far outside has its true logarithm, not that of a smallest probability") {
  const auto log_tail = [](double x) {
    return -0.5 * x * x - std::log(x * std::sqrt(2.0 * std::numbers::pi)) +
           std::log1p(-1.0 / (x * x) + 3.0 / (x * x * x * x));
  };
  for (const double deviation : {0.05, 0.0075}) {
    const double low = 2.0 * 199.5 / 255.0 / deviation;
    const double high = 2.0 * 200.5 / 255.0 / deviation;
    const double expected = log_tail(low) + std::log1p(-std::exp(log_tail(high) - log_tail(low)));
    CHECK(train::log_bin_probability(200, -1.0, deviation) == Approx(expected).epsilon(1e-8));
    CHECK(train::log_bin_probability(255 - 200, 1.0, deviation) == Approx(expected).epsilon(1e-8));
  }
}

/// Images whose elements are bytes, in f64.
Tensor byte_images(const Shape& shape) {
  Tensor images = Tensor::empty(shape, DType::f64);
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.data<double>()[i] = static_cast<double>(i * 37 % 256) / 127.5 - 1.0;
  }
  return images;
}

/// The largest relative error of the terms of all steps, with the exact denoiser of N(m, s^2) at
/// the levels of `truth`, against the posterior of a step by Bayes' rule, image by image.
double bound_error(const NoiseSchedule& truth, const NoiseSchedule& schedule, bool large) {
  const Gaussian data{0.1, 0.6};
  const Shape shape = {3, 2, 3, 1};
  const Tensor images = byte_images(shape);
  const VariationalBound bound(schedule, DenoiseTarget::epsilon,
                               {.large_variance = large, .clip = false});
  double largest = 0.0;
  for (int64_t t = 1; t < truth.steps(); ++t) {
    RandomStream random(5, stream_id("bound", static_cast<uint64_t>(t)));
    const Tensor noise = normal(shape, 0.0, 1.0, random, DType::f64);
    const Tensor terms = bound.step(data.denoiser(truth, DenoiseTarget::epsilon), images, noise, t);
    const double from = truth.alpha_bar(t);
    const double to = truth.alpha_bar(t - 1);
    const auto move = [&](double x, double x0, double z, bool with_large) {
      return ddpm_move({x, x0, 0.0, z, from, to, -1.0}, with_large);
    };
    const double posterior = std::pow(move(0.0, 0.0, 1.0, false), 2);
    const double variance = std::pow(move(0.0, 0.0, 1.0, large), 2);
    for (int64_t b = 0; b < 3; ++b) {
      double expected = 0.0;
      for (int64_t i = b * 6; i < b * 6 + 6; ++i) {
        const double x0 = images.data<double>()[i];
        const double x = std::sqrt(from) * x0 + std::sqrt(1.0 - from) * noise.data<double>()[i];
        const double predicted = data.slope(from) * x + data.offset(from);
        const double difference = move(x, x0, 0.0, false) - move(x, predicted, 0.0, false);
        expected += (std::log(variance / posterior) + posterior / variance - 1.0 +
                     difference * difference / variance) /
                    2.0 / 6.0;
      }
      const double error = std::abs(terms.data<double>()[b] - expected) / expected;
      if (!(error <= largest)) largest = error;
    }
  }
  return largest;
}

TEST_CASE("with an exact denoiser each step has the divergence of its posterior") {
  for (const NoiseSchedule& truth : {NoiseSchedule::linear(40), NoiseSchedule::cosine(40)}) {
    for (const bool large : {false, true}) {
      CAPTURE(large);
      CHECK(bound_error(truth, truth, large) < 1e-9);
      CHECK(bound_error(truth, off_by_one(truth), large) > 1e-2);
    }
  }
}

TEST_CASE("the prior is the divergence from noise, the first step the decoder") {
  const NoiseSchedule schedule = NoiseSchedule::linear(50);
  const Gaussian data{0.1, 0.6};
  const Tensor images = byte_images({2, 2, 2, 3});
  const VariationalBound bound(schedule, DenoiseTarget::x0, {.clip = false});
  const double a = schedule.alpha_bar(49);
  const Tensor prior = bound.prior(images);
  RandomStream random(5, stream_id("decoder"));
  const Tensor noise = normal(images.shape(), 0.0, 1.0, random, DType::f64);
  const Tensor decoder = bound.step(data.denoiser(schedule, DenoiseTarget::x0), images, noise, 0);
  const double first = schedule.alpha_bar(0);
  const double deviation =
      ddpm_move({0.0, 0.0, 0.0, 1.0, schedule.alpha_bar(1), first, -1.0}, false);
  for (int64_t b = 0; b < 2; ++b) {
    double expected_prior = 0.0;
    double expected_decoder = 0.0;
    for (int64_t i = b * 12; i < b * 12 + 12; ++i) {
      const double x0 = images.data<double>()[i];
      expected_prior += (a * x0 * x0 + (1.0 - a) - 1.0 - std::log(1.0 - a)) / 2.0 / 12.0;
      const double x = std::sqrt(first) * x0 + std::sqrt(1.0 - first) * noise.data<double>()[i];
      const double mean = data.slope(first) * x + data.offset(first);
      expected_decoder -= train::log_bin_probability(i * 37 % 256, mean, deviation) / 12.0;
    }
    CHECK(prior.data<double>()[b] == Approx(expected_prior).epsilon(1e-10));
    CHECK(decoder.data<double>()[b] == Approx(expected_decoder).epsilon(1e-10));
  }
  Tensor odd = images.clone();
  odd.data<double>()[3] += 0.002;
  CHECK(error_message([&] {
          bound.step(data.denoiser(schedule, DenoiseTarget::x0), odd, noise, 0);
        }).find("trained with --normalization half") != std::string::npos);
}

TEST_CASE("bits per dimension of 100 images of CIFAR-10: no term is below 0") {
  const std::string folder = real_data("cifar-10-batches-bin");
  if (folder.empty()) return;
  const NoGrad no_grad;
  const auto test = data::open_cifar10(folder).test;
  const auto task = train::make_measure("denoise:steps=40,schedule=cosine", "bits-per-dim");
  const auto net = models::create("timed-conv", {.classes = 3, .input = {32, 32, 3}, .seed = 3});
  const auto numbers = [](int64_t count) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < count; ++i) all.push_back(i);
    return all;
  };
  const data::DatasetPtr hundred = data::subset(test, numbers(100));
  data::Loader loader(hundred, {.batch = 100, .normalization = "half"});
  loader.start(0);
  data::Batch batch;
  REQUIRE(loader.next(batch));
  const train::Diffusion diffusion{.schedule = NoiseSchedule::cosine(40)};
  const VariationalBound bound(diffusion.schedule, diffusion.target, {});
  const train::Denoiser denoiser = train::net_denoiser(*net, diffusion, {}, 1.0);
  std::vector<double> totals(100);
  double smallest = std::numeric_limits<double>::infinity();
  const auto add = [&](const Tensor& terms) {
    REQUIRE(terms.numel() == 100);
    for (size_t b = 0; b < 100; ++b) {
      smallest = std::min(smallest, terms.data<double>()[b]);
      totals[b] += terms.data<double>()[b] / std::numbers::ln2;
    }
  };
  add(bound.prior(batch.images));
  for (int64_t t = 0; t < 40; ++t) {
    add(bound.step(denoiser, batch.images,
                   train::image_noise("bits-per-dim", 0, batch.indices, static_cast<uint64_t>(t),
                                      {32, 32, 3}, DType::f32),
                   t));
  }
  CHECK(smallest >= 0.0);
  double mean = 0.0;
  for (const double total : totals) mean += total / 100.0;
  double squares = 0.0;
  for (const double total : totals) squares += (total - mean) * (total - mean);

  const train::Evaluation whole = evaluate(*task, *net, hundred, {.normalization = "half"});
  CHECK(whole.examples == 100);
  CHECK(whole.metric("bits_per_dim") == Approx(mean).epsilon(1e-9));
  CHECK(whole.metric("loss") == Approx(mean * std::numbers::ln2).epsilon(1e-9));
  CHECK(whole.metric("standard_error") == Approx(std::sqrt(squares / 99.0 / 100.0)).epsilon(1e-6));
  CHECK(mean > 1.0);
}

TEST_CASE("bits per dimension do not depend on the batches, and take the classes of a net") {
  const auto set = std::make_shared<CountingDataset>(9, Shape{4, 4, 3}, 10);
  const auto task = train::make_measure("denoise:steps=6", "bits-per-dim:images=7,variance=large");
  const auto net = models::create(
      "timed-conv", {.classes = 3, .input = {4, 4, 3}, .options = {{"classes", "10"}}, .seed = 3});
  const auto bits = [&](int64_t batch) {
    const train::Evaluation result =
        evaluate(*task, *net, set, {.batch = batch, .normalization = "half"});
    CHECK(result.examples == 7);
    CHECK(result.blocks.size() == 2);
    return result.metric("bits_per_dim");
  };
  const double whole = bits(9);
  CHECK(whole > 0.0);
  for (const int64_t batch : {1, 4}) CHECK(bits(batch) == Approx(whole).epsilon(1e-6));
}

TEST_CASE("a measure that a task does not have is refused with those it has") {
  CHECK(error_message([] { train::make_measure("classify", "bits-per-dim"); }) ==
        "measure: task classify has none beside its metrics; leave --measure out");
  CHECK(error_message([] { train::make_measure("denoise", "bits"); }).find("bits-per-dim") !=
        std::string::npos);
  CHECK(error_message([] {
          train::make_measure("denoise", "bits-per-dim:images=0");
        }).find("images") != std::string::npos);
  CHECK(error_message([] {
          train::make_measure("denoise:steps=1", "bits-per-dim")
              ->evaluator({.set = std::make_shared<CountingDataset>(9, Shape{4, 4, 3}, 10)});
        }) == "bits-per-dim: the schedule has 1 step, needs at least 2");
}

}  // namespace
}  // namespace diagrad::testing
