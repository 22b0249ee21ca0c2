#include "diagrad/ops/cpu/column_sums.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "diagrad/core/random.h"

namespace diagrad {
namespace {

/// The largest relative error of the sums of `rows` equal rows of random values.
double error_of_equal_rows(int64_t rows, int64_t columns) {
  RandomStream random(3, stream_id("columns"));
  const Tensor values = uniform({columns}, 1.0, 2.0, random);
  std::vector<float> matrix;
  for (int64_t row = 0; row < rows; ++row) {
    matrix.insert(matrix.end(), values.data<float>(), values.data<float>() + columns);
  }
  std::vector<float> sums(static_cast<size_t>(columns), std::numeric_limits<float>::quiet_NaN());
  kernels::column_sums(matrix.data(), rows, columns, sums.data());
  double worst = 0.0;
  for (int64_t column = 0; column < columns; ++column) {
    const double exact =
        static_cast<double>(rows) * static_cast<double>(values.data<float>()[column]);
    const double error =
        std::abs(static_cast<double>(sums[static_cast<size_t>(column)]) / exact - 1);
    worst = std::isnan(error) ? error : std::max(worst, error);
    if (std::isnan(worst)) break;
  }
  return worst;
}

// The tokens behind a mean have equal gradients. In a plain loop the roundings of their sum have
// one sign for many steps: 64 equal rows are off by up to 16 units of the last place.
TEST_CASE("sums of equal rows are off by a few units of the last place") {
  constexpr double kUnit = 0x1p-24;  // the largest relative error of one rounding
  for (const int64_t rows : {1, 7, 8, 9, 63, 64, 65, 130, 197, 520}) {
    CAPTURE(rows);
    const double error = error_of_equal_rows(rows, 1000);
    CHECK(error <= 9.0 * kUnit);
  }
  CHECK(error_of_equal_rows(520, 1) <= 9.0 * kUnit);
}

}  // namespace
}  // namespace diagrad
