#include "diagrad/core/shape.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "diagrad/core/tensor.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

constexpr int64_t kHuge = int64_t{1} << 40;

TEST_CASE("a shape is a short list of sizes") {
  Shape shape{8, 3, 32};
  CHECK(shape.str() == "[8,3,32]");
  CHECK(shape.numel() == 768);
  CHECK(shape.numel(1, 3) == 96);
  CHECK(shape.numel(1, 1) == 1);
  CHECK(shape.back() == 32);
  shape.push_back(5);
  shape.insert(1, 7);
  shape.erase(0);
  CHECK(shape == Shape{7, 3, 32, 5});
  CHECK(shape != Shape{7, 3, 32});
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{3, 0}.numel() == 0);
  CHECK(fmt::format("{}", shape) == "[7,3,32,5]");
}

TEST_CASE("strides are row-major and also sensible where a size is 0") {
  CHECK(contiguous_strides({2, 3, 5}) == Shape{15, 5, 1});
  CHECK(contiguous_strides({}) == Shape{});
  CHECK(contiguous_strides({2, 0, 5}) == Shape{5, 5, 1});
}

TEST_CASE("shapes broadcast aligned right, and sizes of 1 stretch, also to 0") {
  CHECK(broadcast_shapes("op", {2, 3}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {5, 1, 3}, {4, 1}) == Shape{5, 4, 3});
  CHECK(broadcast_shapes("op", {}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {2, 3}, {}) == Shape{2, 3});
  CHECK(broadcast_shapes("op", {1}, {0}) == Shape{0});
  CHECK(broadcast_shapes("op", {0, 3}, {1, 1}) == Shape{0, 3});
}

TEST_CASE("shapes that do not broadcast are named with the axis") {
  CHECK(error_message([] {
          broadcast_shapes("add", {8, 3, 4}, {8, 2, 4});
        }) ==
        "add: shapes [8,3,4] and [8,2,4] do not broadcast: axis -2 has sizes 3 and 2; reshape one "
        "side so that the sizes agree or are 1");
  CHECK(error_message([] { broadcast_shapes("add", {0}, {3}); }).find("sizes 0 and 3") !=
        std::string::npos);
}

TEST_CASE("axes count from either end") {
  CHECK(normalize_axis("op", 2, 3) == 2);
  CHECK(normalize_axis("op", -1, 3) == 2);
  CHECK(normalize_axis("op", -3, 3) == 0);
  CHECK(error_message([] { normalize_axis("sum", 3, 3); }) ==
        "sum: axis 3 is out of range for a tensor of rank 3");
  CHECK(error_message([] { normalize_axis("sum", -4, 3); }) ==
        "sum: axis -4 is out of range for a tensor of rank 3");
  CHECK_FALSE(error_message([] { normalize_axis("sum", 0, 0); }).empty());
}

TEST_CASE("more axes than fit are an error") {
  const std::vector<int64_t> nine(9, 1);
  CHECK(error_message([&] { Shape shape{std::span<const int64_t>(nine)}; }) ==
        "shape has 9 axes, at most 8 are supported");
  Shape eight{1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(error_message([&] { eight.push_back(9); }) ==
        "shape [1,2,3,4,5,6,7,8] has 8 axes already, at most 8 are supported");
  CHECK(eight.numel() == 40320);
}

TEST_CASE("axes are inserted and erased where there are some, from either end") {
  Shape shape{5, 7};
  CHECK(error_message([&] { shape.insert(3, 1); }) ==
        "shape [5,7]: no axis can be inserted at 3, only at -3 to 2");
  CHECK_FALSE(error_message([&] { shape.insert(-4, 1); }).empty());
  CHECK(error_message([&] { shape.erase(2); }) == "shape [5,7]: has no axis 2, only -2 to 1");
  CHECK_FALSE(error_message([&] { shape.erase(-3); }).empty());
  CHECK(shape == Shape{5, 7});
  shape.insert(2, 9);
  CHECK(shape == Shape{5, 7, 9});
  shape.erase(-1);
  shape.insert(-1, 9);
  shape.insert(-4, 3);
  CHECK(shape == Shape{3, 5, 7, 9});
  shape.erase(-4);
  shape.erase(2);
  CHECK(shape == Shape{5, 7});
}

TEST_CASE("sizes are indexed from either end, and an axis that is not there is an error") {
  Shape shape{2, 3, 5};
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 5);
  CHECK(shape[-3] == 2);
  shape[-2] = 7;
  CHECK(shape == Shape{2, 7, 5});
  CHECK(Tensor::zeros({2, 3}).shape()[-1] == 3);
  const Shape& fixed = shape;
  for (const int axis : {3, -4, 5, 8, -9, std::numeric_limits<int>::min()}) {
    CHECK(error_message([&] { (void)fixed[axis]; }) ==
          fmt::format("shape [2,7,5]: has no axis {}, only -3 to 2", axis));
    CHECK_FALSE(error_message([&] { shape[axis] = 1; }).empty());
  }
  CHECK(error_message([] { (void)Shape{}[0]; }) == "shape []: has no axes, so no axis 0");
  CHECK(error_message([] { (void)Shape{}.back(); }) == "shape []: has no axes, so no axis -1");
}

TEST_CASE("a range of axes is counted from either end and must be one") {
  const Shape shape{2, 3, 5};
  CHECK(shape.numel(0, -1) == 6);
  CHECK(shape.numel(-2, 3) == 15);
  CHECK(shape.numel(3, 3) == 1);
  CHECK(error_message([&] { (void)shape.numel(0, 4); }) ==
        "shape [2,3,5]: axes [0, 4) are no range of its 3 axes");
  CHECK_FALSE(error_message([&] { (void)shape.numel(2, 1); }).empty());
  CHECK_FALSE(error_message([&] { (void)shape.numel(-4, 3); }).empty());
}

TEST_CASE("counts that overflow are an error, not a small tensor") {
  CHECK(error_message([] {
          Tensor::empty({kHuge, kHuge});
        }) ==
        "shape [1099511627776,1099511627776] has more elements than 2^63 - 1; check its sizes");
  // 2^64 elements: the product wraps to exactly 0.
  CHECK_FALSE(error_message([] { Tensor::empty({int64_t{1} << 32, int64_t{1} << 32}); }).empty());
  CHECK(error_message([] {
          Tensor::empty({kHuge, int64_t{1} << 21});
        }) ==
        "tensor: shape [1099511627776,2097152] of f32 needs more than 2^63 - 1 bytes; check its "
        "sizes");
  CHECK(Shape{kHuge, kHuge, 0}.numel() == 0);
  CHECK(Tensor::empty({kHuge, kHuge, 0}).numel() == 0);
}

}  // namespace
}  // namespace diagrad
