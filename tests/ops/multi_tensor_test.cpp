#include "diagrad/ops/multi_tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/core/threads.h"
#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Sizes with an empty tensor, a single element, and chunks that begin inside a tensor.
const std::vector<Shape> kShapes{{3, 5}, {0}, {1}, {40001}, {17, 1000}};

std::vector<Tensor> random_tensors(uint64_t stream, DType dtype = DType::f64) {
  RandomStream random(1, stream);
  std::vector<Tensor> tensors;
  for (const Shape& shape : kShapes) tensors.push_back(random_input(random, shape).to(dtype));
  return tensors;
}

/// Element i of a contiguous tensor in f64.
double& at(const Tensor& tensor, int64_t i) {
  return tensor.data<double>()[i];
}

void check_close(double got, double expected) {
  CHECK(std::abs(got - expected) <= 1e-13 * (1.0 + std::abs(expected)));
}

TEST_CASE("multi_tensor_sgd makes a step of SGD for every tensor") {
  for (const bool nesterov : {false, true}) {
    const auto gradients = random_tensors(2);
    const auto before = random_tensors(1);
    const auto buffers_before = random_tensors(3);
    const auto parameters = random_tensors(1);
    const auto buffers = random_tensors(3);
    std::vector<SgdTensors> items;
    for (size_t t = 0; t < kShapes.size(); ++t) {
      items.push_back({parameters[t], gradients[t], buffers[t]});
    }
    const uint32_t version = parameters[0].version();
    multi_tensor_sgd(items, {.lr = 0.1,
                             .momentum = 0.9,
                             .weight_decay = 0.01,
                             .gradient_scale = 0.5,
                             .nesterov = nesterov});
    CHECK(parameters[0].version() == version + 1);
    for (size_t t = 0; t < kShapes.size(); ++t) {
      for (int64_t i = 0; i < parameters[t].numel(); i += 997) {
        const double g = 0.5 * at(gradients[t], i) + 0.01 * at(before[t], i);
        const double b = 0.9 * at(buffers_before[t], i) + g;
        check_close(at(buffers[t], i), b);
        check_close(at(parameters[t], i), at(before[t], i) - 0.1 * (nesterov ? g + 0.9 * b : b));
      }
    }
  }
}

TEST_CASE("multi_tensor_adamw corrects the bias of each tensor by that tensor's own step") {
  const auto gradients = random_tensors(2);
  const auto before = random_tensors(1);
  const auto parameters = random_tensors(1);
  std::vector<AdamwTensors> items;
  for (size_t t = 0; t < kShapes.size(); ++t) {
    items.push_back({parameters[t], gradients[t], Tensor::zeros_like(gradients[t]),
                     Tensor::zeros_like(gradients[t]), 1 + static_cast<int64_t>(t)});
  }
  multi_tensor_adamw(items, {.lr = 0.1,
                             .beta1 = 0.8,
                             .beta2 = 0.95,
                             .epsilon = 1e-6,
                             .weight_decay = 0.01,
                             .gradient_scale = 0.5});
  for (size_t t = 0; t < kShapes.size(); ++t) {
    const double step = static_cast<double>(t) + 1.0;
    for (int64_t i = 0; i < parameters[t].numel(); i += 997) {
      const double g = 0.5 * at(gradients[t], i);
      const double m = (1.0 - 0.8) * g;
      const double v = (1.0 - 0.95) * g * g;
      check_close(at(items[t].first_moment, i), m);
      check_close(at(items[t].second_moment, i), v);
      const double corrected_m = m / (1.0 - std::pow(0.8, step));
      const double corrected_v = v / (1.0 - std::pow(0.95, step));
      check_close(at(parameters[t], i), at(before[t], i) * (1.0 - 0.1 * 0.01) -
                                            0.1 * corrected_m / (std::sqrt(corrected_v) + 1e-6));
    }
  }
}

TEST_CASE("multi_tensor_lerp moves x towards the target") {
  const auto targets = random_tensors(2);
  const auto before = random_tensors(1);
  const auto x = random_tensors(1);
  std::vector<LerpTensors> items;
  for (size_t t = 0; t < kShapes.size(); ++t) items.push_back({x[t], targets[t]});
  multi_tensor_lerp(items, 0.25);
  for (size_t t = 0; t < kShapes.size(); ++t) {
    for (int64_t i = 0; i < x[t].numel(); i += 997) {
      check_close(at(x[t], i), 0.75 * at(before[t], i) + 0.25 * at(targets[t], i));
    }
  }
}

TEST_CASE("sum_of_squares is the same bits for any number of threads") {
  const auto tensors = random_tensors(1, DType::f32);
  double expected = 0.0;
  for (const Tensor& tensor : tensors) {
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      expected += std::pow(static_cast<double>(tensor.data<float>()[i]), 2);
    }
  }
  const int threads = num_threads();
  set_num_threads(1);
  const double one = sum_of_squares(tensors);
  check_close(one, expected);
  for (const int count : {2, 3}) {
    set_num_threads(count);
    CHECK(sum_of_squares(tensors) == one);
  }
  set_num_threads(threads);
  CHECK(sum_of_squares({}) == 0.0);
  tensors[3].data<float>()[40000] = std::numeric_limits<float>::quiet_NaN();
  CHECK(!std::isfinite(sum_of_squares(tensors)));
}

TEST_CASE("multi-tensor updates refuse tensors that do not fit, and change none before that") {
  const Tensor four = Tensor::ones({4});
  const Tensor five = Tensor::ones({5});
  const uint32_t version = four.version();
  const std::vector<SgdTensors> shapes{{four, four.clone(), {}}, {four, five, {}}};
  CHECK(error_message([&] { multi_tensor_sgd(shapes, {.lr = 1.0}); }) ==
        "multi_tensor_sgd: item 1 has parameter f32 [4] but gradient f32 [5]; both must agree");
  const std::vector<AdamwTensors> steps{{four, four.clone(), four.clone(), four.clone(), 0}};
  CHECK(error_message([&] { multi_tensor_adamw(steps, {.lr = 1.0}); }) ==
        "multi_tensor_adamw: item 0 is at step 0; steps are counted from 1");
  const std::vector<LerpTensors> strided{{four, Tensor::ones({8}).strided({4}, {2})}};
  CHECK(error_message([&] { multi_tensor_lerp(strided, 0.5); }) ==
        "multi_tensor_lerp: target of item 0 is f32 [4] on cpu, not contiguous; expected a "
        "contiguous f32 or f64 tensor on cpu");
  const std::vector<Tensor> integers{Tensor::arange(3)};
  CHECK(error_message([&] { sum_of_squares(integers); }) ==
        "sum_of_squares: the tensor of item 0 is i64 [3] on cpu, contiguous; expected a contiguous "
        "f32 or f64 tensor on cpu");
  CHECK(four.version() == version);
  CHECK(four.data<float>()[0] == 1.0F);
}

}  // namespace
}  // namespace diagrad::testing
