#include <doctest/doctest.h>

#include <cstring>

#include "diagrad/core/random.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "diagrad/ops/conv1d.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/conv_batch_norm.h"
#include "diagrad/ops/dia_cell.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/inplace.h"
#include "diagrad/ops/layer_norm.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/lstm_gates.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/ops/pad.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

// What a caller who says nothing gets, which is what PyTorch does. Other tests say what they need,
// so that a changed default shows here alone.

bool equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  return std::memcmp(left.raw_data(), right.raw_data(),
                     static_cast<size_t>(left.numel() * size_of(left.dtype()))) == 0;
}

Tensor random_of(const Shape& shape, uint64_t stream = 1) {
  RandomStream random(7, stream);
  return random_input(random, shape);
}

TEST_CASE("defaults of convolutions: stride 1, no padding, dilation 1, one group, no bias") {
  const Tensor sequences = random_of({2, 9, 4});
  const Tensor taps = random_of({6, 3, 4}, 2);
  CHECK(conv1d(sequences, taps).shape() == Shape{2, 7, 6});
  CHECK(equal(conv1d(sequences, taps),
              conv1d(sequences, taps, {.stride = 1, .padding = 0, .dilation = 1, .groups = 1})));
  const Tensor bias = random_of({6}, 3);
  CHECK(equal(
      conv1d(sequences, taps, bias),
      conv1d(sequences, taps, bias, {.stride = 1, .padding = 0, .dilation = 1, .groups = 1})));
  const Tensor images = random_of({2, 7, 8, 4});
  const Tensor weight = random_of({6, 3, 3, 4}, 2);
  const Conv2dOptions written{.stride = 1, .padding = 0, .dilation = 1, .groups = 1};
  CHECK(conv2d(images, weight).shape() == Shape{2, 5, 6, 6});
  CHECK(equal(conv2d(images, weight), conv2d(images, weight, written)));
  CHECK(equal(conv2d(images, weight, bias), conv2d(images, weight, bias, written)));
  const Tensor mean = Tensor::zeros({6}, DType::f64);
  const Tensor var = Tensor::ones({6}, DType::f64);
  CHECK(equal(conv_batch_norm_relu(images, {weight}, {}, {}, mean, var),
              conv_batch_norm_relu(images, {weight, written}, {}, {}, mean, var)));
}

TEST_CASE("defaults of pools: the stride is the kernel, no padding, and padding counts in means") {
  const Tensor images = random_of({1, 7, 7, 2});
  const Pool2dOptions written{.kernel = 3, .stride = 3, .padding = 0, .count_include_pad = true};
  CHECK(equal(max_pool2d(images, {.kernel = 3}), max_pool2d(images, written)));
  CHECK(equal(avg_pool2d(images, {.kernel = 3}), avg_pool2d(images, written)));
  const Pool2dOptions padded{.kernel = 3, .stride = 3, .padding = 1, .count_include_pad = true};
  CHECK(equal(avg_pool2d(images, {.kernel = 3, .padding = 1}), avg_pool2d(images, padded)));
}

TEST_CASE("defaults of reductions: all axes, which go; var divides by n - 1; argmax has the last") {
  const Tensor x = random_of({3, 4});
  for (const auto& reduce : {sum, mean, max}) {
    CHECK(equal(reduce(x, {}), reduce(x, {.axes = {0, 1}, .keep_dims = false})));
    CHECK(reduce(x, {.axes = {1}}).shape() == Shape{3});
  }
  CHECK(equal(var(x), var(x, {.axes = {0, 1}, .keep_dims = false, .unbiased = true})));
  CHECK(var(x, {.axes = {1}}).shape() == Shape{3});
  CHECK(equal(argmax(x), argmax(x, 1)));
}

TEST_CASE("defaults of normalisations: evaluation, momentum 0.1, epsilon 1e-5, one group") {
  const Tensor x = random_of({2, 3, 3, 4});
  const Tensor mean = random_of({4}, 2);
  const Tensor var = Tensor::full({4}, 1e-4, DType::f64);
  CHECK(equal(batch_norm(x, {}, {}, mean, var),
              batch_norm(x, {}, {}, mean, var, {.training = false, .epsilon = 1e-5})));
  const Tensor moved = mean.clone();
  const Tensor expected = mean.clone();
  batch_norm(x, {}, {}, moved, var.clone(), {.training = true});
  batch_norm(x, {}, {}, expected, var.clone(), {.training = true, .momentum = 0.1});
  CHECK(equal(moved, expected));
  CHECK(equal(batch_norm_relu(x, {}, {}, mean, var),
              batch_norm_relu(x, {}, {}, mean, var, {.training = false, .epsilon = 1e-5})));
  CHECK(BnScaleAddRelu(x, {}, {}, mean, var).pooled().defined());
  CHECK(BnScaleAddRelu(x, {random_of({4, 1, 1, 4})}, {}, {}, mean, var).pooled().defined());
  const Tensor small = random_of({2, 3, 4}) * 1e-3;
  CHECK(equal(group_norm(small, {}, {}, {}),
              group_norm(small, {}, {}, {.groups = 1, .epsilon = 1e-5})));
  CHECK(equal(layer_norm(small, {}, {}), layer_norm(small, {}, {}, 1e-5)));
}

TEST_CASE("defaults of losses, gates, masks and products") {
  const Tensor logits = random_of({3, 5});
  const Tensor labels = Tensor::from<int64_t>({0, 4, 2}, {3});
  CHECK(equal(cross_entropy(logits, labels),
              cross_entropy(logits, labels, {.label_smoothing = 0.0})));
  const Tensor gates = random_of({2, 12});
  const Tensor cell = random_of({2, 3}, 2);
  CHECK(equal(lstm_gates(gates, cell).h, lstm_gates(gates, cell, {GateOutput::sigmoid}).h));
  const DiaBottleneck side{random_of({2, 3}, 3), random_of({2}, 4), random_of({12, 2}, 5),
                           random_of({12}, 6)};
  CHECK(equal(dia_cell(cell, {cell, cell}, side, side).h,
              dia_cell(cell, {cell, cell}, side, side, {GateOutput::sigmoid}).h));
  CHECK(equal(dropout(logits, {}), dropout(logits, {.p = 0.5, .seed = 0, .stream = 0})));
  const Tensor square = random_of({4, 4});
  CHECK(equal(matmul(square, square),
              matmul(square, square, {.transpose_a = false, .transpose_b = false})));
  CHECK(equal(linear(square, square), linear(square, square, Tensor())));
}

TEST_CASE("defaults of shape operations and changes in place") {
  const Tensor x = random_of({2, 3, 4});
  CHECK(equal(slice(x, 2, 0, 4), x));
  CHECK(flatten(x).shape() == Shape{2, 12});
  CHECK(equal(pad(x, {{}, {}, {}}), x));
  CHECK(pad(x, {{}, {}, {.after = 1}}).contiguous().data<double>()[4] == 0.0);
  const Tensor sum = x.clone();
  add_(sum, x);
  CHECK(equal(sum, x + x));
}

TEST_CASE("defaults of updates: no rate, no momentum, no decay, the gradient as it is") {
  const Tensor gradient = random_of({4});
  const auto stepped = [&](const SgdHyperparameters& values) {
    const Tensor parameter = Tensor::ones({4}, DType::f64);
    const Tensor buffer = Tensor::ones({4}, DType::f64);
    const SgdTensors item{parameter, gradient, buffer};
    multi_tensor_sgd({&item, 1}, values);
    return parameter;
  };
  CHECK(equal(stepped({}), Tensor::ones({4}, DType::f64)));
  CHECK(equal(stepped({.lr = 0.1}), stepped({.lr = 0.1,
                                             .momentum = 0.0,
                                             .weight_decay = 0.0,
                                             .gradient_scale = 1.0,
                                             .nesterov = false})));
  CHECK(equal(stepped({.lr = 0.1, .momentum = 0.5}),
              stepped({.lr = 0.1, .momentum = 0.5, .weight_decay = 0.0, .nesterov = false})));
  const auto adapted = [&](const AdamwHyperparameters& values) {
    const Tensor parameter = Tensor::ones({4}, DType::f64);
    const Tensor moment = Tensor::ones({4}, DType::f64);
    const AdamwTensors item{parameter, gradient * 1e-4, moment, moment.clone() * 1e-6};
    CHECK(item.step == 1);
    multi_tensor_adamw({&item, 1}, values);
    return parameter;
  };
  CHECK(equal(adapted({}), Tensor::ones({4}, DType::f64)));
  CHECK(equal(adapted({.lr = 0.1}), adapted({.lr = 0.1,
                                             .beta1 = 0.9,
                                             .beta2 = 0.999,
                                             .epsilon = 1e-8,
                                             .weight_decay = 0.0,
                                             .gradient_scale = 1.0})));
}

}  // namespace
}  // namespace diagrad::testing
