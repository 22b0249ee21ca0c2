#include "diagrad/ops/inplace.h"

#include <doctest/doctest.h>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/transpose.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

Tensor values(std::initializer_list<double> list) {
  return Tensor::from<double>(list, {static_cast<int64_t>(list.size())});
}

void check_values(const Tensor& x, std::initializer_list<double> expected) {
  const Tensor read = x.contiguous();
  REQUIRE(read.numel() == static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < read.numel(); ++i) {
    CHECK(read.data<double>()[i] == *(expected.begin() + i));
  }
}

TEST_CASE("the in-place forms change the tensor and count a version each") {
  const Tensor x = values({1, 2, 3});
  const uint32_t before = x.version();
  add_(x, values({1, 1, 2}));
  check_values(x, {2, 3, 5});
  add_(x, values({2, 2, 2}), -0.5);
  check_values(x, {1, 2, 4});
  mul_(x, values({3, 2, 1}));
  check_values(x, {3, 4, 4});
  mul_(x, -2.0);
  check_values(x, {-6, -8, -8});
  copy_(x, values({7, 8, 9}));
  check_values(x, {7, 8, 9});
  zero_(x);
  check_values(x, {0, 0, 0});
  CHECK(x.version() == before + 6);
}

TEST_CASE("they write through views and leave the rest alone") {
  const Tensor x = Tensor::zeros({2, 3}, DType::f64);
  add_(slice(x, 1, 0, 3, 2), Tensor::ones({2, 2}, DType::f64), 4.0);
  check_values(x, {4, 0, 4, 4, 0, 4});
  copy_(transpose(x, 0, 1), Tensor::arange(6, DType::f64).strided({3, 2}, {2, 1}));
  check_values(x, {0, 2, 4, 1, 3, 5});
  zero_(slice(x, 0, 1, 2));
  check_values(x, {0, 2, 4, 0, 0, 0});
  const Tensor count = Tensor::arange(3);
  zero_(count);
  CHECK(count.data<int64_t>()[2] == 0);
}

TEST_CASE("a source that overlaps is read before it is written") {
  const Tensor x = values({1, 2, 3, 4});
  add_(x, x);
  check_values(x, {2, 4, 6, 8});
  add_(slice(x, 0, 1, 4), slice(x, 0, 0, 3));
  check_values(x, {2, 6, 10, 14});
  copy_(slice(x, 0, 0, 4), x.strided({4}, {-1}, 3));
  check_values(x, {14, 10, 6, 2});
}

TEST_CASE("backward through a tensor changed in place names the operation that saved it") {
  const Tensor w = values({2.0});
  w.set_requires_grad(true);
  const Tensor x = values({3.0});
  const Tensor y = mul(x, w);
  const Tensor z = sigmoid(mul(x, w));
  add_(x, values({1.0}));
  CHECK(error_message([&] { backward(y); }) ==
        "backward of mul: a tensor of shape [1] it saved was changed in place since (version 1, "
        "saved at 0); change a clone() instead, or change it after backward");
  {
    const NoGrad no_grad;
    zero_(z);
  }
  CHECK(error_message([&] { backward(z); }).find("backward of sigmoid") == 0);
}

TEST_CASE("a parameter is stepped under no_grad and keeps its place in later graphs") {
  const Tensor w = values({2.0, 3.0});
  w.set_requires_grad(true);
  backward(sum(mul(w, w)));
  {
    const NoGrad no_grad;
    add_(w, w.grad(), -0.25);
    zero_(w.grad());
  }
  check_values(w, {1.0, 1.5});
  backward(sum(mul(w, w)));
  check_values(w.grad(), {2.0, 3.0});
}

TEST_CASE("in-place changes that would lose a gradient or do not fit say what to do") {
  const Tensor w = values({1.0, 2.0});
  w.set_requires_grad(true);
  const Tensor x = values({1.0, 2.0});
  CHECK(error_message([&] { mul_(w, 2.0); }) ==
        "mul_: the tensor of shape [2] requires gradients, and an in-place change is not recorded; "
        "change it under `const NoGrad no_grad;`, or change its detach()");
  CHECK(error_message([&] { zero_(relu(w)); }).find("zero_: the tensor of shape [2]") == 0);
  CHECK(error_message([&] { add_(x, w); }) ==
        "add_: the source of shape [2] requires gradients, and an in-place change is not recorded; "
        "use its detach(), or the operation that makes a new tensor");
  CHECK(error_message([&] { copy_(x, x.to(DType::f32)); }) ==
        "copy_: the tensor is f64 [2], the source f32 [2]; both must agree, use cast and expand");
  CHECK(error_message([&] { add_(x, Tensor::ones({}, DType::f64)); }) ==
        "add_: the tensor is f64 [2], the source f64 []; both must agree, use cast and expand");
  CHECK(error_message([&] { mul_(Tensor::arange(2), 2.0); }) ==
        "mul_: needs f32 or f64 tensors, got i64 [2]");
  CHECK(error_message([&] {
          zero_(expand(x, {3, 2}));
        }) ==
        "zero_: axis 0 of the tensor of shape [3,2] repeats one element 3 times; change a clone()");
  check_values(x, {1.0, 2.0});
}

}  // namespace
}  // namespace diagrad
