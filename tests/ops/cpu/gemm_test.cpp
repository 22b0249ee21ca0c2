#include "diagrad/ops/cpu/gemm/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad {
namespace {

using kernels::Gemm;

template <typename T>
std::vector<T> random_values(int64_t count, RandomStream& random) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(random.uniform(-1.0, 1.0));
  return values;
}

/// One product with row strides `gap` larger than needed. The gaps hold NaN in the operands and a
/// mark in the result, so reading or writing them is seen.
template <typename T>
struct Problem {
  Problem(int64_t m_, int64_t n_, int64_t k_, bool ta, bool tb, int64_t gap, RandomStream& random)
      : m(m_), n(n_), k(k_) {
    const auto matrix = [&](int64_t rows, int64_t columns, std::vector<T>& values, T filler) {
      const int64_t stride = columns + gap;
      values.assign(static_cast<size_t>(rows * stride), filler);
      for (int64_t i = 0; i < rows * columns; ++i) {
        values[static_cast<size_t>(i / columns * stride + i % columns)] =
            static_cast<T>(random.uniform(-1.0, 1.0));
      }
      return stride;
    };
    constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
    product.m = m;
    product.n = n;
    product.k = k;
    product.transpose_a = ta;
    product.transpose_b = tb;
    product.a_stride = ta ? matrix(k, m, a, kNan) : matrix(m, k, a, kNan);
    product.b_stride = tb ? matrix(n, k, b, kNan) : matrix(k, n, b, kNan);
    product.c_stride = matrix(m, n, c, T(77));
    bias = random_values<T>(n, random);
    product.a = a.data();
    product.b = b.data();
    product.c = c.data();
    before = c;
  }

  /// The largest |c - reference|, infinite when a gap was written to.
  double error() const {
    double worst = 0.0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < product.c_stride; ++j) {
        const auto at = static_cast<size_t>(i * product.c_stride + j);
        double expected = j < n ? reference(i, j) : 77.0;
        if (j < n && product.accumulate) expected += static_cast<double>(before[at]);
        const double difference = std::abs(static_cast<double>(c[at]) - expected);
        worst = difference <= worst ? worst : std::isnan(difference) ? 1e30 : difference;
      }
    }
    return worst;
  }
  double reference(int64_t i, int64_t j) const {
    long double sum = 0.0L;  // beyond double: the reference must not add errors of its own
    for (int64_t t = 0; t < k; ++t) {
      const int64_t left =
          product.transpose_a ? t * product.a_stride + i : i * product.a_stride + t;
      const int64_t right =
          product.transpose_b ? j * product.b_stride + t : t * product.b_stride + j;
      sum += static_cast<long double>(a[static_cast<size_t>(left)]) *
             static_cast<long double>(b[static_cast<size_t>(right)]);
    }
    const double scaled = static_cast<double>(sum) * static_cast<double>(product.alpha);
    return product.bias == nullptr ? scaled
                                   : scaled + static_cast<double>(bias[static_cast<size_t>(j)]);
  }
  double tolerance() const {
    return static_cast<double>(std::numeric_limits<T>::epsilon()) *
           (8.0 + 20.0 * std::sqrt(static_cast<double>(k)));
  }

  int64_t m, n, k;
  std::vector<T> a, b, c, before, bias;
  Gemm<T> product;
};

template <typename T>
void check(int64_t m, int64_t n, int64_t k, RandomStream& random) {
  for (int variant = 0; variant < 4; ++variant) {
    const bool ta = (variant & 1) != 0;
    const bool tb = (variant & 2) != 0;
    Problem<T> problem(m, n, k, ta, tb, random.below(4), random);
    problem.product.alpha = random.below(2) == 0 ? T(1) : T(-0.5);
    problem.product.accumulate = random.below(2) == 0;
    if (random.below(2) == 0) problem.product.bias = problem.bias.data();
    kernels::gemm(problem.product);
    const double error = problem.error();
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(ta);
    CAPTURE(tb);
    REQUIRE(error <= problem.tolerance());
  }
}

TEST_CASE_TEMPLATE("gemm equals the definition for all sizes around the block edges", T, float,
                   double) {
  RandomStream random(3, 1);
  for (int64_t m = 1; m <= 26; ++m) {
    for (int64_t n = 1; n <= 50; n += 1 + n / 12) check<T>(m, n, 1 + (m * 7 + n) % 40, random);
  }
  for (int64_t n = 1; n <= 100; ++n) check<T>(9, n, 17, random);
  for (int64_t m = 1; m <= 100; ++m) check<T>(m, 20, 5, random);
  for (int64_t k = 0; k <= 40; ++k) check<T>(11, 21, k, random);
}

TEST_CASE_TEMPLATE("gemm equals the definition for sizes that use every loop", T, float, double) {
  RandomStream random(3, 2);
  check<T>(130, 70, 800, random);   // several passes of the inner index
  check<T>(250, 1300, 40, random);  // several tiles both ways
  check<T>(20, 30, 9000, random);   // a sum in parts
  check<T>(70, 48, 3100, random);   // the same of operands that are read in place
  check<T>(1701, 45, 37, random);   // rows that stream through
  check<T>(2003, 70, 1, random);
  check<T>(40, 3500, 2, random);
  check<T>(2003, 70, 0, random);
  check<T>(1, 300, 500, random);  // a single row
  check<T>(300, 1, 500, random);  // a single column
  check<T>(0, 5, 5, random);
  check<T>(5, 0, 5, random);
}

TEST_CASE_TEMPLATE("gemm equals the definition for rows that stream through, of any width", T,
                   float, double) {
  RandomStream random(3, 5);
  for (int64_t vectors = 1; vectors <= 9; ++vectors) {
    check<T>(5003, vectors * kLanes<T>, 11, random);
    check<T>(5003, vectors * kLanes<T> - 1, 11, random);
  }
}

TEST_CASE_TEMPLATE("gemm equals the definition where the left operand is packed", T, float,
                   double) {
  RandomStream random(3, 4);
  for (const int64_t stride : {2048, 2049}) {  // rows that compete for lines of the cache, or not
    constexpr int64_t kInner = 651;            // two passes, of 325 and 326
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const int64_t n = 16 * kernels::kMaxVectors * kLanes<T> + 5;
        Problem<T> problem(37, n, kInner, ta, tb, stride - kInner, random);
        problem.product.accumulate = tb;
        kernels::gemm(problem.product);
        CAPTURE(stride);
        CAPTURE(ta);
        CAPTURE(tb);
        REQUIRE(problem.error() <= problem.tolerance());
      }
    }
  }
}

TEST_CASE("gemm gives the same bits for any number of threads") {
  RandomStream random(3, 3);
  const int threads = num_threads();
  for (const auto& [m, n, k] :
       {std::array<int64_t, 3>{200, 300, 500}, {24, 40, 8000}, {3000, 40, 50}, {300, 800, 2048}}) {
    Problem<float> problem(m, n, k, false, false, 0, random);
    std::vector<std::vector<float>> results;
    for (const int count : {1, 2, 3}) {
      set_num_threads(count);
      kernels::gemm(problem.product);
      results.push_back(problem.c);
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
  }
  set_num_threads(threads);
}

TEST_CASE("a batch of products adds up those with the same target") {
  RandomStream random(3, 4);
  for (const int64_t size : {5, 70}) {  // below and above the serial threshold
    const int64_t matrix = size * size;
    const int64_t entries = 40;
    std::vector<double> a = random_values<double>(entries * matrix, random);
    std::vector<double> b = random_values<double>(entries * matrix, random);
    std::vector<double> c(static_cast<size_t>(3 * matrix), 55.0);
    Gemm<double> product;
    product.m = product.n = product.k = product.a_stride = product.b_stride = product.c_stride =
        size;
    product.a = a.data();
    product.b = b.data();
    product.c = c.data();
    std::vector<GemmOffsets> offsets;
    for (int64_t i = 0; i < entries; ++i) {
      offsets.push_back({i * matrix, i * matrix, (i < 1 ? 0 : i < 36 ? 1 : 2) * matrix});
    }
    kernels::gemm_batch<double>(product, offsets);
    std::vector<double> expected(c.size(), 0.0);
    for (const GemmOffsets& offset : offsets) {
      for (int64_t i = 0; i < matrix; ++i) {
        for (int64_t t = 0; t < size; ++t) {
          expected[static_cast<size_t>(offset.c + i)] +=
              a[static_cast<size_t>(offset.a + i / size * size + t)] *
              b[static_cast<size_t>(offset.b + t * size + i % size)];
        }
      }
    }
    double worst = 0.0;
    for (size_t i = 0; i < c.size(); ++i) worst = std::max(worst, std::abs(c[i] - expected[i]));
    CHECK(worst < 1e-11);
  }
}

}  // namespace
}  // namespace diagrad
