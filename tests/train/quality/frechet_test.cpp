#include "diagrad/train/quality/frechet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/ops/slice.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

Moments moments_of(const Tensor& features) {
  Moments moments(features.size(1));
  moments.add(features);
  return moments;
}

/// Rows of which a share of the columns is 0, as that of a unit that never fires.
Tensor random_rows(int64_t rows, int64_t width, int64_t dead, uint64_t seed) {
  RandomStream random(seed, stream_id("frechet test"));
  Tensor features = normal({rows, width}, 1.0, 2.0, random, DType::f64);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < dead; ++j) features.data<double>()[i * width + j] = 0.0;
  }
  return features;
}

TEST_CASE("the distance of a set from itself is 0, also with fewer rows than features") {
  for (const int64_t rows : {2, 10, 200}) {
    CAPTURE(rows);
    const Moments moments = moments_of(random_rows(rows, 24, 5, 3));
    CHECK(frechet_distance(moments, moments) >= 0.0);
    CHECK(frechet_distance(moments, moments) < 1e-11);
  }
}

TEST_CASE("scaled features have the distance of their closed form, for any rank") {
  // S2 = 9 S1 and m2 = 3 m1: |2 m1|^2 + (1 + 9 - 2 * 3) tr S1.
  for (const int64_t rows : {3, 12, 300}) {
    CAPTURE(rows);
    const Tensor features = random_rows(rows, 16, 4, 5);
    Tensor scaled = features.clone();
    for (int64_t i = 0; i < scaled.numel(); ++i) scaled.data<double>()[i] *= 3.0;
    const Moments a = moments_of(features);
    double expected = 0.0;
    const std::vector<double> covariance = a.covariance();
    for (size_t i = 0; i < 16; ++i) {
      expected += 4.0 * a.mean()[i] * a.mean()[i] + 4.0 * covariance[i * 16 + i];
    }
    CHECK(frechet_distance(a, moments_of(scaled)) == Approx(expected).epsilon(1e-11));
  }
}

TEST_CASE("one feature: the difference of means and of deviations, squared") {
  const Moments a = moments_of(Tensor::from({1.0, 3.0}, {2, 1}));       // mean 2, variance 2
  const Moments b = moments_of(Tensor::from({0.0, 8.0, 4.0}, {3, 1}));  // mean 4, variance 16
  const double deviations = 4.0 - std::sqrt(2.0);
  CHECK(frechet_distance(a, b) == Approx(4.0 + deviations * deviations).epsilon(1e-13));
}

TEST_CASE("moments do not depend on the batches, and survive a large offset") {
  Tensor rows = random_rows(97, 6, 0, 9);
  const Moments plain = moments_of(rows);
  for (int64_t i = 0; i < rows.numel(); ++i) rows.data<double>()[i] += 1e6;
  const Moments whole = moments_of(rows);
  for (const int64_t batch : {1, 7, 64}) {
    Moments parts(6);
    for (int64_t i = 0; i < 97; i += batch) {
      parts.add(slice(rows, 0, i, std::min<int64_t>(97, i + batch)));
    }
    CHECK(parts.count() == 97);
    CHECK(parts.mean() == whole.mean());
    CHECK(parts.covariance() == whole.covariance());
  }
  for (size_t i = 0; i < 36; ++i) {
    CHECK(whole.covariance()[i] == Approx(plain.covariance()[i]).epsilon(1e-8));
  }
}

TEST_CASE("moments refuse other widths, values that are not finite and too few rows") {
  Moments moments(3);
  CHECK(error_message([&] {
          moments.add(Tensor::zeros({2, 4}));
        }) == "moments: features [2,4], expected [B,3]");
  moments.add(Tensor::zeros({1, 3}));
  CHECK(error_message([&] { moments.covariance(); }) == "covariance: of 1 rows, needs at least 2");
  Tensor bad = Tensor::zeros({2, 3}, DType::f64);
  bad.data<double>()[4] = std::numeric_limits<double>::quiet_NaN();
  CHECK(error_message([&] { moments.add(bad); }) == "features: value 1 of image 2 is nan");
  const Moments one = moments_of(random_rows(9, 3, 0, 1));
  const Moments other = moments_of(random_rows(9, 4, 0, 1));
  CHECK(error_message([&] { frechet_distance(one, other); }) ==
        "frechet: moments of 3 and 4 features");
}

}  // namespace
}  // namespace diagrad::train
