#include "diagrad/ops/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/upsample.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("of equal largest values the first gets the gradient of max_pool2d") {
  const Tensor x = Tensor::from<float>({1, 7, 7, 7}, {1, 2, 2, 1});
  x.set_requires_grad(true);
  backward(max_pool2d(x, {.kernel = 2}));
  const float* gradient = x.grad().data<float>();
  CHECK(gradient[0] == 0.0F);
  CHECK(gradient[1] == 1.0F);
  CHECK(gradient[2] == 0.0F);
  CHECK(gradient[3] == 0.0F);
}

TEST_CASE("max_pool2d passes NaN on and never picks the padding") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from<float>({1, nan, 9, 4}, {1, 2, 2, 1});
  CHECK(std::isnan(max_pool2d(x, {.kernel = 2}).item()));
  const float low = -std::numeric_limits<float>::infinity();
  const Tensor lowest = Tensor::full({1, 2, 2, 1}, static_cast<double>(low));
  const Tensor y = max_pool2d(lowest, {.kernel = 3, .stride = 1, .padding = 1});
  for (int64_t i = 0; i < 4; ++i) CHECK(y.data<float>()[i] == low);
}

TEST_CASE("pooling says what does not fit, with the numbers") {
  const auto error = [](const Shape& x, const Pool2dOptions& options) {
    return testing::error_message([&] { max_pool2d(Tensor::zeros(x), options); });
  };
  CHECK(error({4, 4, 3}, {.kernel = 2}) == "max_pool2d: expected images [B,H,W,C], got [4,4,3]");
  CHECK(error({1, 4, 4, 3}, {.kernel = {2, 5}}) ==
        "max_pool2d: width kernel 5 does not fit into an image of 4 with padding 0");
  CHECK(error({1, 0, 4, 3}, {.kernel = 2, .padding = 1}) ==
        "max_pool2d: height kernel 2 does not fit into an image of 0 with padding 1");
  CHECK(error({1, 4, 4, 3}, {.kernel = 3, .padding = 2}) ==
        "max_pool2d: height padding 2 is more than half the kernel 3, so a window could hold "
        "nothing else");
  CHECK(error({1, 4, 4, 3}, {.kernel = 0}) ==
        "max_pool2d: height has kernel 0, stride 0, padding 0; kernel and stride must be at least "
        "1 and padding at least 0");
  CHECK(testing::error_message([] {
          adaptive_avg_pool2d(Tensor::zeros({1, 4, 4, 3}), 0);
        }) ==
        "adaptive_avg_pool2d: cannot make 0 x 0 windows of input [1,4,4,3]; all must be at least "
        "1");
  CHECK(testing::error_message([] {
          global_avg_pool(Tensor::zeros({2, 0, 3}));
        }) == "global_avg_pool: input [2,0,3] has no positions to average over");
  CHECK(testing::error_message([] {
          upsample_nearest(Tensor::zeros({1, 4, 4, 3}), 0);
        }) == "upsample_nearest: factor 0 must be at least 1");
}

TEST_CASE("sizes of pooling that no number holds are refused, not wrapped") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const Tensor x = Tensor::zeros({1, 4, 4, 3});
  CHECK(testing::error_message([&] {
          avg_pool2d(x, {.kernel = {kMost, 2}, .padding = {kMost / 2, 0}});
        }) == "avg_pool2d: windows of 9223372036854775807 x 2 hold more than 2^63 - 1 places");
  CHECK(testing::error_message([&] {
          max_pool2d(x, {.kernel = 2, .padding = {kMost, 0}});
        }) ==
        "max_pool2d: height padding 9223372036854775807 is more than half the kernel 2, so a "
        "window could hold nothing else");
  CHECK(testing::error_message([&] {
          avg_pool2d(x, {.kernel = {kMost - 1, 2}, .padding = {kMost / 4, 0}});
        }) ==
        "avg_pool2d: height kernel 9223372036854775806 does not fit into an image of 4 with "
        "padding 2305843009213693951");
  CHECK(max_pool2d(x, {.kernel = 2, .stride = kMost}).shape() == Shape{1, 1, 1, 3});
  constexpr int64_t kHuge = int64_t{1} << 40;
  CHECK(testing::error_message([&] {
          max_pool2d(Tensor::empty({0, kHuge, kHuge, 3}), {.kernel = 2});
        }) ==
        "max_pool2d: images of 1099511627776 x 1099511627776 have more places than an i32 can "
        "count");
  CHECK(testing::error_message([&] { upsample_nearest(x, kHuge); }) ==
        "shape [1,4398046511104,4398046511104,3] has more elements than 2^63 - 1; check its sizes");
  CHECK(testing::error_message([&] {
          upsample_nearest(x, int64_t{1} << 62);  // 4 * 2^62 would wrap to 0
        }) ==
        "upsample_nearest: 4611686018427387904 times the height and width of images [1,4,4,3] is "
        "more than 2^63 - 1");
  const Tensor none = Tensor::empty({0, 4, 4, 3});
  none.set_requires_grad(true);
  const Tensor y = upsample_nearest(none, kHuge);
  CHECK(y.shape() == Shape{0, 4 * kHuge, 4 * kHuge, 3});
  backward(y, Tensor::empty(y.shape()));
  CHECK(none.grad().shape() == none.shape());
}

TEST_CASE("channel_scale says what does not fit, with the numbers") {
  CHECK(
      testing::error_message([] {
        channel_scale(Tensor::zeros({2, 4, 4, 3}), Tensor::zeros({2, 4}));
      }) ==
      "channel_scale: expected input [B,...,C] and scale [B,C], got [2,4,4,3] and [2,4] (channels "
      "are the last axis)");
  CHECK(testing::error_message([] {
          channel_scale_add_relu(Tensor::zeros({2, 4, 3}), Tensor::zeros({2, 3}),
                                 Tensor::zeros({2, 3, 3}));
        }) ==
        "channel_scale_add_relu: residual has shape [2,3,3], input [2,4,3]; they must be equal");
  CHECK(testing::error_message([] {
          channel_scale(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}, DType::f64));
        }) ==
        "channel_scale: input is f32, scale f64, residual absent; convert with to() so that they "
        "agree");
}

}  // namespace
}  // namespace diagrad
