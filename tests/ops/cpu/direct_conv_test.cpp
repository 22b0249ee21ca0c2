#include "diagrad/ops/cpu/conv/direct_conv.h"

#include <doctest/doctest.h>

namespace diagrad {
namespace {

TEST_CASE("the sum behind a result runs over taps and channels, of a depthwise one over taps") {
  kernels::WindowSet windows;
  windows.row_taps = {{-1, 0}, {0, 1}, {1, 2}};
  windows.column_taps = {{0, 0}, {1, 1}};
  kernels::DirectConv conv;
  conv.source_channels = conv.result_channels = 12;
  CHECK(conv.inner_size(windows) == 72);
  conv.groups = 4;
  CHECK(conv.inner_size(windows) == 18);
  conv.groups = 1;
  conv.channelwise = true;
  CHECK(conv.inner_size(windows) == 6);
}

}  // namespace
}  // namespace diagrad
