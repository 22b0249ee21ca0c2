#include "diagrad/core/peak.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/core/threads.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("the machine's peaks are figures, and leave the number of threads as it was") {
  const int threads = num_threads();
  CHECK(run_multiply_adds<float>(1, 1) > 0.0);
  CHECK(run_multiply_adds<float>(2, 10) == 20.0 * run_multiply_adds<float>(1, 1));
  CHECK(run_multiply_adds<double>(1, 8) == 4.0 * run_multiply_adds<float>(1, 1));
  CHECK(std::isfinite(measured_peak(1, DType::f64)));
  CHECK(measured_bandwidth(2) > 0.0);
  CHECK(num_threads() == threads);
  CHECK(testing::error_message([] { measured_peak(1, DType::i64); }) ==
        "measured_peak: i64 is not f32 or f64");
}

}  // namespace
}  // namespace diagrad
