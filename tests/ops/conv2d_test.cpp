#include "diagrad/ops/conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/observer.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/conv1d.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

std::string conv2d_error(const Shape& x, const Shape& w, const Conv2dOptions& options = {},
                         const Tensor& bias = {}) {
  return testing::error_message([&] { conv2d(Tensor::zeros(x), Tensor::zeros(w), bias, options); });
}

TEST_CASE("conv2d says what does not fit, with the numbers") {
  CHECK(conv2d_error({8, 32, 32, 3}, {16, 3, 3, 4}) ==
        "conv2d: input has 3 channels but weight expects 4; input [8,32,32,3], weight [16,3,3,4] "
        "(channels are the last axis of both)");
  CHECK(conv2d_error({8, 32, 3}, {16, 3, 3, 3}) ==
        "conv2d: expected input [B,H,W,C] and weight [O,kh,kw,C/groups], got [8,32,3] and "
        "[16,3,3,3]");
  CHECK(conv2d_error({1, 4, 4, 6}, {4, 3, 3, 3}, {.groups = 4}) ==
        "conv2d: 4 groups do not divide 6 input and 4 output channels; input [1,4,4,6], weight "
        "[4,3,3,3]");
  CHECK(conv2d_error({1, 4, 4, 6}, {4, 3, 3, 6}, {.groups = 2}) ==
        "conv2d: input has 6 channels in 2 groups of 3 but weight expects 6 per group; input "
        "[1,4,4,6], weight [4,3,3,6]");
  CHECK(conv2d_error({1, 4, 9, 3}, {4, 7, 3, 3}, {.padding = 1}) ==
        "conv2d: a kernel of height 7 (dilation 1) does not fit into 4 + 2 * 1 padding; pad by at "
        "least 2 or use a smaller kernel");
  CHECK(conv2d_error({1, 9, 4, 3}, {4, 3, 3, 3}, {.dilation = {1, 2}}) ==
        "conv2d: a kernel of width 5 (dilation 2) does not fit into 4 + 2 * 0 padding; pad by at "
        "least 1 or use a smaller kernel");
  CHECK(conv2d_error({1, 4, 4, 3}, {4, 3, 3, 3}, {.stride = {1, 0}}) ==
        "conv2d: width has stride 0, dilation 1, padding 0; stride and dilation must be at least "
        "1, padding at least 0");
  CHECK(conv2d_error({1, 4, 4, 3}, {4, 3, 3, 3}, {.groups = 0}) ==
        "conv2d: groups is 0, must be at least 1");
  CHECK(conv2d_error({1, 4, 4, 3}, {4, 3, 3, 3}, {}, Tensor::zeros({3})) ==
        "conv2d: bias has shape [3], expected [4] for weight [4,3,3,3]");
  CHECK(testing::error_message([] {
          conv2d(Tensor::zeros({1, 4, 4, 3}), Tensor::zeros({4, 3, 3, 3}, DType::f64));
        }) == "conv2d: input is f32 but weight is f64; convert one with to()");
  CHECK(testing::error_message([] {
          conv2d(Tensor::zeros({1, 4, 4, 3}, DType::i64), Tensor::zeros({4, 3, 3, 3}, DType::i64));
        }) == "conv2d: needs an f32 or f64 tensor, got i64");
}

TEST_CASE("conv1d speaks of itself") {
  CHECK(testing::error_message([] {
          conv1d(Tensor::zeros({2, 4, 3}), Tensor::zeros({1, 9, 3}), {.padding = 2});
        }) ==
        "conv1d: a kernel of length 9 (dilation 1) does not fit into 4 + 2 * 2 padding; pad by at "
        "least 3 or use a smaller kernel");
  CHECK(testing::error_message([] {
          conv1d(Tensor::zeros({2, 4, 4, 3}), Tensor::zeros({1, 9, 3}));
        }) ==
        "conv1d: expected input [B,L,C] and weight [O,k,C/groups], got [2,4,4,3] and [1,9,3]");
}

/// Remembers the multiply-adds of the last operation.
class LastOp : public autograd::OpObserver {
 public:
  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> /*inputs*/,
                  std::span<const Tensor> /*outputs*/) override {
    multiply_adds = op.multiply_adds;
  }
  int64_t multiply_adds = 0;
};

TEST_CASE("conv2d counts multiply-adds nominally: padding counted, groups divided") {
  LastOp last;
  const autograd::ObserverScope scope(last);
  conv2d(Tensor::zeros({2, 8, 6, 4}), Tensor::zeros({10, 3, 3, 4}), {.stride = 2, .padding = 1});
  CHECK(last.multiply_adds == 2 * 4 * 3 * 10 * 9 * 4);
  conv2d(Tensor::zeros({2, 8, 6, 4}), Tensor::zeros({8, 3, 3, 2}), {.padding = 1, .groups = 2});
  CHECK(last.multiply_adds == 2 * 8 * 6 * 8 * 9 * 2);
}

TEST_CASE("conv2d gives the same bits for any number of threads, forward and backward") {
  const int before = num_threads();
  RandomStream random(5, 1);
  const Tensor x = normal({9, 17, 16, 24}, 0.0, 1.0, random);
  const Tensor w = normal({40, 3, 3, 24}, 0.0, 1.0, random);
  x.set_requires_grad(true);
  w.set_requires_grad(true);
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const Tensor y = conv2d(x, w, {.stride = {2, 1}, .padding = 1});
    std::vector<Tensor> all = autograd::grad({y}, {x, w}, {Tensor::ones_like(y)});
    all.push_back(y);
    results.push_back(std::move(all));
  }
  set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i) {
    const float* expected = results[0][i].data<float>();
    const int64_t count = results[0][i].numel();
    for (size_t run = 1; run < results.size(); ++run) {
      const float* got = results[run][i].data<float>();
      CHECK(std::equal(expected, expected + count, got));
    }
  }
}

TEST_CASE("conv2d refuses sizes that no number holds instead of wrapping") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const Shape x{1, 4, 4, 3};
  const Shape w{2, 3, 3, 3};
  // 2 * 2^62 + 1 would wrap, as would 2 * (2^63 - 1), to -2.
  CHECK(conv2d_error(x, w, {.dilation = {int64_t{1} << 62, 1}}) ==
        "conv2d: height 4 with padding 0 and kernel 3 with dilation 4611686018427387904 reach "
        "beyond 2^31 pixels");
  CHECK(conv2d_error(x, w, {.padding = {1, kMost}}) ==
        "conv2d: width 4 with padding 9223372036854775807 and kernel 3 with dilation 1 reach "
        "beyond 2^31 pixels");
  CHECK_FALSE(conv2d_error(x, w, {.padding = {kMost / 2, 1}, .dilation = {kMost / 2, 1}}).empty());
  // Each axis alone would do; the image that both reach, of 2^62 pixels, has no copy.
  constexpr int64_t kFar = (int64_t{1} << 30) - 8;
  CHECK(
      conv2d_error(x, w, {.padding = kFar, .dilation = kFar}) ==
      "conv2d: 2147483636 x 2147483636 pixels, padding included, of 3 channels are more than 2^56 "
      "numbers; use a smaller padding");
  const Tensor image = Tensor::ones(x);
  image.set_requires_grad(true);
  const Tensor y = conv2d(image, Tensor::ones(w), {.stride = kMost});
  CHECK(y.shape() == Shape{1, 1, 1, 2});
  CHECK(y.data<float>()[1] == 27.0F);
  const Tensor dx = autograd::grad({y}, {image}, {Tensor::ones_like(y)})[0];
  CHECK(dx.data<float>()[0] == 2.0F);
  CHECK(dx.data<float>()[dx.numel() - 1] == 0.0F);
}

TEST_CASE("conv2d reads strided views and expanded gradients") {
  RandomStream random(5, 2);
  const Tensor wide = normal({2, 6, 5, 8}, 0.0, 1.0, random, DType::f64);
  const Tensor w = normal({3, 3, 3, 4}, 0.0, 1.0, random, DType::f64);
  const Tensor view = wide.strided({2, 6, 5, 4}, wide.strides(), 2);
  view.set_requires_grad(true);
  const Tensor y = conv2d(view, w, {.padding = 1});
  const Tensor one = Tensor::full({1}, 1.0, DType::f64);
  const Tensor expanded = one.strided(y.shape(), {0, 0, 0, 0});
  const Tensor from_view = autograd::grad({y}, {view}, {expanded})[0];
  const Tensor dense = view.detach().contiguous();
  dense.set_requires_grad(true);
  const Tensor z = conv2d(dense, w, {.padding = 1});
  const Tensor from_dense = autograd::grad({z}, {dense}, {Tensor::ones_like(z)})[0];
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return std::equal(a.data<double>(), a.data<double>() + a.numel(), b.data<double>());
  };
  CHECK(equal(y, z));
  CHECK(equal(from_view.contiguous(), from_dense));
}

}  // namespace
}  // namespace diagrad
