// Differences from PyTorch that known.py allows, each with our value. The names are those of the
// lines in docs/api.md.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/conv1d.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/scaled_dot_product.h"
#include "diagrad/ops/unary.h"

namespace diagrad::parity {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor leaf(std::initializer_list<double> values, const Shape& shape) {
  const Tensor x = Tensor::from<double>(values, shape);
  x.set_requires_grad(true);
  return x;
}

double at(const Tensor& x, int64_t i) {
  return x.data<double>()[i];
}

/// The gradient of `x` for the gradient `dy` of `y`.
Tensor gradient(const Tensor& y, const Tensor& x, const Tensor& dy) {
  return autograd::grad({y}, {x}, {dy}).front();
}

TEST_CASE("differs: scaled_dot_product_attention") {
  const Tensor q = leaf({1.0, -1.0}, {1, 1, 2, 1});
  const Tensor k = leaf({0.5, kInfinity}, {1, 1, 2, 1});
  const Tensor v = leaf({3.0, 4.0}, {1, 1, 2, 1});
  const Tensor y = scaled_dot_product_attention(q, k, v, {.causal = true});
  CHECK(at(y.contiguous(), 0) == 3.0);
  const Tensor hidden = Tensor::from<uint8_t>({1, 0}, {2});
  const Tensor nan = leaf({0.5, std::nan("")}, {1, 1, 2, 1});
  CHECK(at(scaled_dot_product_attention(q, nan, v, {.mask = hidden}).contiguous(), 1) == 3.0);
  const Tensor low = leaf({-kInfinity, -kInfinity}, {1, 1, 2, 1});
  CHECK(at(scaled_dot_product_attention(q, low, v).contiguous(), 0) == 0.0);
}

TEST_CASE("differs: clamp at its bounds") {
  const Tensor x = leaf({-2.0, -1.0, 0.0, 1.0, 2.0}, {5});
  const Tensor dx = gradient(clamp(x, -1.0, 1.0), x, Tensor::full({5}, 3.0, DType::f64));
  CHECK(at(dx, 0) == 0.0);
  CHECK(at(dx, 1) == 3.0);
  CHECK(at(dx, 2) == 3.0);
  CHECK(at(dx, 3) == 3.0);
  CHECK(at(dx, 4) == 0.0);
}

TEST_CASE("differs: cross_entropy, cross_entropy_soft") {
  const Tensor infinite = Tensor::full({}, kInfinity, DType::f64);
  const Tensor x = leaf({1.0, 0.0, -1.0}, {1, 3});
  const Tensor hard = gradient(cross_entropy(x, Tensor::from<int64_t>({1}, {1})), x, infinite);
  const Tensor targets = Tensor::from<double>({0.0, 1.0, 0.0}, {1, 3});
  const Tensor soft = gradient(cross_entropy_soft(x, targets), x, infinite);
  for (const Tensor& dx : {hard, soft}) {
    CHECK(at(dx, 0) == kInfinity);
    CHECK(at(dx, 1) == -kInfinity);
    CHECK(at(dx, 2) == kInfinity);
  }
}

TEST_CASE("differs: batch_norm, group_norm, group_norm_silu_conv2d, layer_norm") {
  const Tensor x = leaf({0.5, -1.0, 2.0, 1.5}, {4, 1});
  const Tensor row = leaf({0.5, -1.0, 2.0, 1.5}, {1, 4});
  const Tensor dy = Tensor::from<double>({kInfinity, 1.0, 1.0, 1.0}, {4, 1});
  const Tensor dy_row = dy.strided({1, 4}, {4, 1});
  const Tensor image = leaf({0.5, -1.0, 2.0, 1.5}, {1, 1, 4, 1});
  const Tensor dy_image = dy.strided({1, 1, 4, 1}, {4, 4, 1, 1});
  const Tensor one = Tensor::ones({1, 1, 1, 1}, DType::f64);
  const GroupNormSilu activations{.x = image, .gamma = {}, .beta = {}};
  for (const Tensor& dx : {gradient(group_norm_silu_conv2d(activations, one, {}), image, dy_image),
                           gradient(batch_norm(x, {}, {}, {}, {}, {.training = true}), x, dy),
                           gradient(group_norm(row, {}, {}, {.groups = 1}), row, dy_row),
                           gradient(layer_norm(row, {}, {}), row, dy_row)}) {
    for (int64_t i = 0; i < 4; ++i) CHECK_FALSE(std::isfinite(at(dx, i)));
  }
}

TEST_CASE("differs: batch_norm, group_norm, group_norm_silu_conv2d, layer_norm of equal values") {
  const Tensor x = Tensor::full({1, 3}, 0.1, DType::f64);
  const Tensor beta = Tensor::from<double>({1.0, 2.0, 3.0}, {3});
  const Tensor rows = Tensor::full({7, 3}, 0.1, DType::f64);
  for (const Tensor& y : {group_norm(x, {}, beta, {.groups = 1}), layer_norm(x, Tensor(), beta),
                          batch_norm(rows, {}, beta, {}, {}, {.training = true})}) {
    for (int64_t i = 0; i < 3; ++i) CHECK(at(y, i) == at(beta, i));
  }
  const GroupNormSilu image{
      .x = Tensor::full({1, 1, 1, 3}, 0.1, DType::f64), .gamma = {}, .beta = beta};
  const Tensor identity =
      Tensor::from<double>({1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0}, {3, 1, 1, 3});
  const Tensor y = group_norm_silu_conv2d(image, identity, {});
  const Tensor expected = silu(beta);
  for (int64_t i = 0; i < 3; ++i) CHECK(at(y, i) == at(expected, i));
}

TEST_CASE("differs: conv1d, conv2d, group_norm_silu_conv2d") {
  const Tensor w = Tensor::from<double>({kInfinity, 1.0, 1.0}, {1, 3, 1});
  const Tensor x = leaf({1.0, 2.0, 3.0, 4.0}, {1, 4, 1});
  const Tensor dx = gradient(conv1d(x, w), x, Tensor::ones({1, 2, 1}, DType::f64));
  CHECK(at(dx, 0) == kInfinity);
  CHECK(std::isnan(at(dx, 3)));  // only the last weight reads it
  const Tensor image = leaf({1.0, 2.0, 3.0, 4.0}, {1, 1, 4, 1});
  const Tensor y = conv2d(image, w.strided({1, 1, 3, 1}, {3, 3, 1, 1}));
  const Tensor dy = Tensor::ones({1, 1, 2, 1}, DType::f64);
  CHECK(std::isnan(at(gradient(y, image, dy), 3)));
  const GroupNormSilu activations{.x = image, .gamma = {}, .beta = {}};
  const Tensor z = group_norm_silu_conv2d(activations, w.strided({1, 1, 3, 1}, {3, 3, 1, 1}), {});
  CHECK(std::isnan(at(gradient(z, image, dy), 3)));
}

TEST_CASE("differs: conv2d with an infinite weight") {
  const MathModeScope fast(MathMode::fast);
  const Tensor x = Tensor::ones({1, 16, 16, 16});
  const Tensor w = Tensor::ones({32, 3, 3, 16});
  w.data<float>()[0] = std::numeric_limits<float>::infinity();
  const Tensor y = conv2d(x, w);
  for (int64_t i = 0; i < y.numel(); ++i) {
    CHECK(std::isfinite(y.data<float>()[i]) == (i % 32 != 0));
  }
}

}  // namespace
}  // namespace diagrad::parity
