#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include "diagrad/core/tensor.h"

namespace diagrad {
namespace {

TEST_CASE("tensors print their values, dtype and shape") {
  CHECK(to_string(Tensor::from<float>({1.0F, 2.5F}, {1, 2})) ==
        "tensor([[1.0000, 2.5000]], f32 [1,2])");
  CHECK(to_string(Tensor::full({}, 3.0, DType::f64)) == "tensor(3.0000, f64 [])");
  CHECK(to_string(Tensor::full({2}, 0.1, DType::bf16)) == "tensor([0.1001, 0.1001], bf16 [2])");
  CHECK(to_string(Tensor::from<int64_t>({-3, 4}, {2})) == "tensor([-3, 4], i64 [2])");
  CHECK(to_string(Tensor::from<int32_t>({7}, {1})) == "tensor([7], i32 [1])");
  CHECK(to_string(Tensor::from<uint8_t>({0, 255}, {2})) == "tensor([0, 255], u8 [2])");
  std::ostringstream stream;
  stream << Tensor::arange(2);
  CHECK(stream.str() == "tensor([0, 1], i64 [2])");
}

TEST_CASE("rows are indented below each other") {
  CHECK(to_string(Tensor::arange(4).strided({2, 2}, {2, 1})) ==
        "tensor([[0, 1],\n"
        "        [2, 3]], i64 [2,2])");
  CHECK(to_string(Tensor::arange(4).strided({2, 1, 2}, {2, 2, 1})) ==
        "tensor([[[0, 1]],\n"
        "        [[2, 3]]], i64 [2,1,2])");
}

TEST_CASE("a view prints its own elements") {
  CHECK(to_string(Tensor::arange(6).strided({2, 3}, {1, 2})) ==
        "tensor([[0, 2, 4],\n"
        "        [1, 3, 5]], i64 [2,3])");
}

TEST_CASE("axes of more than six are shortened to three at each end") {
  CHECK(to_string(Tensor::arange(6)) == "tensor([0, 1, 2, 3, 4, 5], i64 [6])");
  CHECK(to_string(Tensor::arange(7)) == "tensor([0, 1, 2, ..., 4, 5, 6], i64 [7])");
  CHECK(to_string(Tensor::arange(100000).strided({1000, 2}, {100, 1})) ==
        "tensor([[0, 1],\n"
        "        [100, 101],\n"
        "        [200, 201],\n"
        "        ...,\n"
        "        [99700, 99701],\n"
        "        [99800, 99801],\n"
        "        [99900, 99901]], i64 [1000,2])");
}

TEST_CASE("very small, very large, missing and long whole numbers keep their meaning") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(to_string(Tensor::from<double>({1e-5, -2e6, infinity, -infinity, nan, 0.0}, {6})) ==
        "tensor([1.0000e-05, -2.0000e+06, inf, -inf, nan, 0.0000], f64 [6])");
  CHECK(to_string(Tensor::from<int64_t>({9007199254740993}, {1})) ==
        "tensor([9007199254740993], i64 [1])");
}

TEST_CASE("tensors without elements print as brackets") {
  CHECK(to_string(Tensor::zeros({0})) == "tensor([], f32 [0])");
  CHECK(to_string(Tensor::zeros({2, 0})) == "tensor([[],\n        []], f32 [2,0])");
}

}  // namespace
}  // namespace diagrad
