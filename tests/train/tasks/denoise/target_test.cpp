#include "diagrad/train/tasks/denoise/target.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "diagrad/core/random.h"
#include "diagrad/ops/binary.h"
#include "diagrad/train/tasks/denoise/schedule.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

constexpr std::array<DenoiseTarget, 3> kTargets = {DenoiseTarget::epsilon, DenoiseTarget::v,
                                                   DenoiseTarget::x0};

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0.0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    largest = std::max(largest, std::abs(a.data<double>()[i] - b.data<double>()[i]));
  }
  return largest;
}

/// A noisy image of known parts, by the definitions.
struct Parts {
  Tensor x0, epsilon, x, v;

  explicit Parts(double alpha_bar) {
    RandomStream random(7, stream_id("parts"));
    x0 = uniform({3, 5}, -1.0, 1.0, random, DType::f64);
    epsilon = normal({3, 5}, 0.0, 1.0, random, DType::f64);
    const double signal = std::sqrt(alpha_bar);
    const double noise = std::sqrt(1.0 - alpha_bar);
    x = add(mul(x0, signal), mul(epsilon, noise));
    v = sub(mul(epsilon, signal), mul(x0, noise));
  }
  const Tensor& of(DenoiseTarget target) const {
    if (target == DenoiseTarget::epsilon) return epsilon;
    return target == DenoiseTarget::v ? v : x0;
  }
};

/// What rounding grows by between epsilon and x0.
double growth(double alpha_bar) {
  return std::sqrt(std::max(alpha_bar / (1.0 - alpha_bar), (1.0 - alpha_bar) / alpha_bar));
}

TEST_CASE("each target gives each other one, and the way back, at every step") {
  for (const NoiseSchedule& schedule : {NoiseSchedule::linear(1000), NoiseSchedule::cosine(1000)}) {
    for (int64_t t = 0; t < 1000; ++t) {
      const double a = schedule.alpha_bar(t);
      // The last step of cosine has growth 20,000: doubles cannot hold 1e-12 there.
      const double limit = 1e-12 * std::max(1.0, growth(a) / 1000.0);
      const Parts parts(a);
      for (const DenoiseTarget from : kTargets) {
        for (const DenoiseTarget to : kTargets) {
          CAPTURE(t);
          CAPTURE(name(from));
          CAPTURE(name(to));
          const Tensor converted = convert(parts.x, parts.of(from), from, to, a);
          CHECK(largest_difference(converted, parts.of(to)) <= limit);
          const Tensor back = convert(parts.x, converted, to, from, a);
          CHECK(largest_difference(back, parts.of(from)) <= limit);
        }
      }
    }
  }
}

TEST_CASE("v and x0 work at zero terminal SNR, epsilon is refused with the reason") {
  const Parts parts(0.0);
  for (const DenoiseTarget from : {DenoiseTarget::v, DenoiseTarget::x0}) {
    for (const DenoiseTarget to : kTargets) {
      const Tensor converted = convert(parts.x, parts.of(from), from, to, 0.0);
      CHECK(largest_difference(converted, parts.of(to)) == 0.0);
    }
  }
  CHECK(error_message([&] {
          convert(parts.x, parts.epsilon, DenoiseTarget::epsilon, DenoiseTarget::x0, 0.0);
        }) ==
        "denoise: epsilon says nothing of the image where the signal-to-noise ratio is zero; use "
        "target v or x0");
  CHECK(error_message([] { conversion(DenoiseTarget::v, DenoiseTarget::x0, 1.0); }) ==
        "denoise: alpha-bar 1 is outside [0, 1)");
}

TEST_CASE("a target that is there already is given back as it is") {
  const Parts parts(0.5);
  CHECK(convert(parts.x, parts.v, DenoiseTarget::v, DenoiseTarget::v, 0.5).is_same(parts.v));
  for (const DenoiseTarget target : kTargets) CHECK(parse_denoise_target(name(target)) == target);
  CHECK(error_message([] { parse_denoise_target("noise"); }) ==
        "denoise: target 'noise' is none of epsilon, v, x0");
}

TEST_CASE("min-SNR weights of Hang et al. with gamma 5 on the linear schedule") {
  const NoiseSchedule schedule = NoiseSchedule::linear(1000);
  struct Row {
    int64_t t;
    double epsilon, v, x0;
  };
  const Row rows[] = {
      {0, 0.00050005000500050005, 0.0005, 5.0},
      {250, 1.0, 0.52142303061852735, 1.0895280466430097},
      {500, 1.0, 0.0777966583650239, 0.084359549410326418},
      {750, 1.0, 0.0033001583615694315, 0.0033110854679623986},
      {998, 1.0, 4.1181936381384524e-5, 4.1183632403114103e-5},
  };
  for (const Row& row : rows) {
    CAPTURE(row.t);
    const double a = schedule.alpha_bar(row.t);
    const auto weight = [&](DenoiseTarget target) { return min_snr_weight(target, a, 5.0); };
    CHECK(weight(DenoiseTarget::epsilon) == Approx(row.epsilon).epsilon(1e-10));
    CHECK(weight(DenoiseTarget::v) == Approx(row.v).epsilon(1e-10));
    CHECK(weight(DenoiseTarget::x0) == Approx(row.x0).epsilon(1e-10));
    for (const DenoiseTarget target : kTargets) CHECK(min_snr_weight(target, a, 0.0) == 1.0);
  }
}

TEST_CASE("weights are finite and 0 or 1 at zero terminal SNR") {
  CHECK(min_snr_weight(DenoiseTarget::epsilon, 0.0, 5.0) == 1.0);
  CHECK(min_snr_weight(DenoiseTarget::v, 0.0, 5.0) == 0.0);
  CHECK(min_snr_weight(DenoiseTarget::x0, 0.0, 5.0) == 0.0);
}

TEST_CASE("the three weights make the same objective on x0") {
  const NoiseSchedule schedule = NoiseSchedule::cosine(1000);
  for (const int64_t t : {0, 10, 100, 300, 500, 700, 900, 990}) {
    CAPTURE(t);
    const double a = schedule.alpha_bar(t);
    const Parts parts(a);
    RandomStream random(8, stream_id("guess"));
    const Tensor guess = add(parts.x0, normal({3, 5}, 0.0, 0.1, random, DType::f64));
    const auto objective = [&](DenoiseTarget target) {
      const Tensor given = convert(parts.x, guess, DenoiseTarget::x0, target, a);
      double sum = 0.0;
      for (int64_t i = 0; i < given.numel(); ++i) {
        const double error = given.data<double>()[i] - parts.of(target).data<double>()[i];
        sum += error * error;
      }
      return min_snr_weight(target, a, 5.0) * sum;
    };
    const double of_x0 = objective(DenoiseTarget::x0);
    CHECK(objective(DenoiseTarget::epsilon) == Approx(of_x0).epsilon(1e-9));
    CHECK(objective(DenoiseTarget::v) == Approx(of_x0).epsilon(1e-9));
  }
}

}  // namespace
}  // namespace diagrad::train
