#include "diagrad/ops/kernels/correlation.h"

#include <doctest/doctest.h>

namespace diagrad {
namespace {

TEST_CASE("the sum behind a result runs over taps and channels, of a depthwise one over taps") {
  kernels::WindowSet windows;
  windows.row_taps = {{-1, 0}, {0, 1}, {1, 2}};
  windows.column_taps = {{0, 0}, {1, 1}};
  kernels::Correlation correlation;
  correlation.source_channels = correlation.result_channels = 12;
  CHECK(correlation.inner_size(windows) == 72);
  correlation.groups = 4;
  CHECK(correlation.inner_size(windows) == 18);
  correlation.groups = 1;
  correlation.channelwise = true;
  CHECK(correlation.inner_size(windows) == 6);
}

}  // namespace
}  // namespace diagrad
