#include "diagrad/core/tensor.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

void check_values(const Tensor& x, const std::vector<double>& expected) {
  const Tensor read = x.to(DType::f64).contiguous();
  REQUIRE(read.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) CHECK(read.data<double>()[i] == expected[i]);
}

TEST_CASE("tensors are made of zeros, ones, a value, a count or a list, in every dtype") {
  for (const DType dtype :
       {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8}) {
    CAPTURE(name(dtype));
    check_values(Tensor::zeros({2, 1}, dtype), {0, 0});
    check_values(Tensor::ones({3}, dtype), {1, 1, 1});
    check_values(Tensor::full({2}, 7.0, dtype), {7, 7});
    check_values(Tensor::arange(4, dtype), {0, 1, 2, 3});
    CHECK(Tensor::empty({2, 3}, dtype).dtype() == dtype);
    CHECK(Tensor::zeros_like(Tensor::empty({0, 3}, dtype)).shape() == Shape{0, 3});
  }
  check_values(Tensor::from<int32_t>({1, -2, 3, 4}, {2, 2}), {1, -2, 3, 4});
  check_values(Tensor::from<bfloat16>({bfloat16(1.5F)}, {}), {1.5});
  CHECK(error_message([] {
          Tensor::from<float>({1, 2, 3}, {2, 2});
        }) == "tensor: 3 values given for shape [2,2], which holds 4");
  CHECK(error_message([] {
          Tensor::zeros({2, -3});
        }) == "tensor: shape [2,-3] has a negative size");
}

TEST_CASE("an undefined tensor says so instead of crashing") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  CHECK_FALSE(none.requires_grad());
  CHECK(to_string(none) == "tensor(undefined)");
  CHECK(error_message([&] { none.shape(); }) ==
        "tensor: undefined tensor used; it was default-constructed or is a gradient that does not "
        "exist");
  CHECK_FALSE(error_message([&] { none.item(); }).empty());
  CHECK_FALSE(error_message([&] { none.grad(); }).empty());
  CHECK_FALSE(error_message([&] { none.set_data(Tensor::zeros({2})); }).empty());
}

TEST_CASE("item reads one element of any dtype, at the place of a view") {
  CHECK(Tensor::full({1, 1, 1}, 2.5, DType::bf16).item() == 2.5);
  CHECK(Tensor::full({}, 255.0, DType::u8).item() == 255.0);
  CHECK(Tensor::arange(5).strided({}, {}, 3).item() == 3.0);
  CHECK(Tensor::arange(5, DType::f64).strided({1}, {1}, 4).item() == 4.0);
  CHECK(error_message([] {
          Tensor::zeros({2, 2}).item();
        }) == "item: needs a tensor with one element, got shape [2,2]");
  CHECK_FALSE(error_message([] { Tensor::zeros({0}).item(); }).empty());
  CHECK(error_message([] { Tensor::zeros({2}).data<double>(); }) ==
        "tensor: read as f64 but its dtype is f32, shape [2]");
}

TEST_CASE("views share the data: parts, transposes, repetitions, reversals") {
  const Tensor x = Tensor::arange(12, DType::f32);
  const Tensor matrix = x.strided({3, 4}, {4, 1});
  CHECK(matrix.size(-1) == 4);
  CHECK(matrix.is_contiguous());
  const Tensor transposed = matrix.strided({4, 3}, {1, 4});
  CHECK_FALSE(transposed.is_contiguous());
  check_values(transposed, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
  const Tensor columns = matrix.strided({3, 2}, {4, 2}, 1);
  check_values(columns, {1, 3, 5, 7, 9, 11});
  check_values(columns.strided({3}, {4}, 2), {3, 7, 11});  // offsets add up
  const Tensor repeated = x.strided({2, 3}, {0, 1}, 5);
  check_values(repeated, {5, 6, 7, 5, 6, 7});
  check_values(x.strided({3}, {-2}, 11), {11, 9, 7});
  transposed.strided({1}, {1}, 5).fill_(-1.0);
  CHECK(x.data<float>()[5] == -1.0F);
  CHECK(columns.shares_storage(x));
  CHECK_FALSE(columns.is_same(x));
  CHECK(columns.raw_data() == x.data<float>() + 1);
}

TEST_CASE("a view that leaves its storage is refused") {
  const Tensor x = Tensor::zeros({2, 3});
  CHECK(error_message([&] {
          x.strided({3, 3}, {3, 1});
        }) ==
        "strided: shape [3,3] with strides [3,1] at offset 0 reaches elements 0..8 of a storage of "
        "6");
  CHECK_FALSE(error_message([&] { x.strided({2}, {-1}); }).empty());
  CHECK_FALSE(error_message([&] { x.strided({}, {}, 6); }).empty());
  CHECK(x.strided({0, 3}, {3, 1}, 6).numel() == 0);  // nothing is nowhere
  CHECK(error_message([&] {
          x.strided({2, -3}, {3, 1});
        }) == "strided: shape [2,-3] has a negative size");
}

TEST_CASE("a view whose reach no number holds is refused like any other") {
  const Tensor x = Tensor::zeros({2, 3});
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kHuge = int64_t{1} << 62;
  CHECK(error_message([&] {
          x.strided({5}, {kHuge});  // 4 * 2^62 would wrap to 0
        }) ==
        "strided: shape [5] with strides [4611686018427387904] at offset 0 leaves its storage of 6 "
        "elements");
  for (const int64_t huge : {kHuge, -kHuge, kMost, -kMost}) {
    CAPTURE(huge);
    CHECK_FALSE(error_message([&] { x.strided({5}, {huge}); }).empty());
    CHECK_FALSE(error_message([&] { x.strided({2, 2, 2}, {huge, huge, 1}); }).empty());
    CHECK_FALSE(error_message([&] { x.strided({1}, {1}, huge); }).empty());
    CHECK_FALSE(error_message([&] { x.strided({1}, {1}, 5).strided({}, {}, huge); }).empty());
    CHECK(x.strided({0, 3}, {huge, huge}, huge).contiguous().numel() == 0);
  }
  CHECK(Tensor::empty({0, int64_t{1} << 40, int64_t{1} << 40}).is_contiguous());
  CHECK(Tensor::empty({int64_t{1} << 40, int64_t{1} << 40, 0}).is_contiguous());
}

TEST_CASE("contiguous keeps what is row-major and copies the rest") {
  const Tensor x = Tensor::arange(6, DType::f64).strided({2, 3}, {3, 1});
  CHECK(x.contiguous().is_same(x));
  const Tensor transposed = x.strided({3, 2}, {1, 3});
  const Tensor copy = transposed.contiguous();
  CHECK(copy.is_contiguous());
  CHECK_FALSE(copy.shares_storage(x));
  check_values(copy, {0, 3, 1, 4, 2, 5});
  // Strides of axes of size 1, and all of them where a size is 0, do not matter.
  CHECK(x.strided({1, 6}, {77, 1}).is_contiguous());
  CHECK(x.strided({0, 3}, {1, 9}).is_contiguous());
  CHECK_FALSE(x.clone().shares_storage(x));
}

TEST_CASE("to and copy_ convert between all dtypes") {
  const std::vector<DType> all = {DType::f32, DType::f64, DType::bf16,
                                  DType::i64, DType::i32, DType::u8};
  const Tensor source = Tensor::from<double>({0, 1, 2, 100, 120, 3}, {2, 3});
  for (const DType from : all) {
    for (const DType to : all) {
      const Tensor transposed = source.to(from).strided({3, 2}, {1, 3}).to(to);
      CHECK(transposed.dtype() == to);
      check_values(transposed, {0, 100, 1, 120, 2, 3});
    }
  }
  CHECK(source.to(DType::f64).is_same(source));
  CHECK(Tensor::full({}, 2.9).to(DType::i64).item() == 2.0);
  CHECK(Tensor::full({}, -2.9).to(DType::i32).item() == -2.0);
  CHECK(error_message([&] {
          source.copy_(Tensor::zeros({3, 2}));
        }) == "copy_: destination has shape [2,3], source [3,2]");
}

TEST_CASE("numbers that an integer dtype does not hold become its nearest, NaN becomes 0") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from<double>({-infinity, -1e30, -1.5, 255.9, 1e30, infinity, nan}, {7});
  for (const DType from : {DType::f64, DType::f32, DType::bf16}) {
    CAPTURE(name(from));
    const double nearly = from == DType::bf16 ? 256.0 : 255.0;
    const Tensor source = x.to(from);
    const Tensor u8 = source.to(DType::u8);
    const uint8_t bytes[] = {0, 0, 0, 255, 255, 255, 0};
    for (int i = 0; i < 7; ++i) CHECK(int{u8.data<uint8_t>()[i]} == int{bytes[i]});
    constexpr int32_t kLeast32 = std::numeric_limits<int32_t>::min();
    constexpr int32_t kMost32 = std::numeric_limits<int32_t>::max();
    check_values(source.to(DType::i32), {kLeast32, kLeast32, -1, nearly, kMost32, kMost32, 0});
    constexpr int64_t kLeast64 = std::numeric_limits<int64_t>::min();
    constexpr int64_t kMost64 = std::numeric_limits<int64_t>::max();
    const Tensor i64 = source.to(DType::i64);
    CHECK(i64.data<int64_t>()[0] == kLeast64);
    CHECK(i64.data<int64_t>()[1] == kLeast64);
    CHECK(i64.data<int64_t>()[4] == kMost64);
    CHECK(i64.data<int64_t>()[5] == kMost64);
    CHECK(i64.data<int64_t>()[6] == 0);
  }
  CHECK(Tensor::full({}, -3.0, DType::u8).item() == 0.0);
  CHECK(Tensor::full({}, nan, DType::i32).item() == 0.0);
  CHECK(Tensor::full({}, 0x1p63, DType::i64).data<int64_t>()[0] ==
        std::numeric_limits<int64_t>::max());
  CHECK(Tensor::full({}, -0x1p63, DType::i64).data<int64_t>()[0] ==
        std::numeric_limits<int64_t>::min());
  // From integers the low bits stay, as in C++.
  CHECK(Tensor::full({}, 257.0, DType::i64).to(DType::u8).item() == 1.0);
}

TEST_CASE("a view that repeats elements is not written to") {
  const Tensor x = Tensor::zeros({3});
  const Tensor repeated = x.strided({4, 3}, {0, 1});
  CHECK(error_message([&] { repeated.fill_(1.0); }) ==
        "fill_: axis 0 of the tensor of shape [4,3] repeats one element 4 times; change a clone()");
  CHECK(error_message([&] {
          repeated.copy_(Tensor::ones({4, 3}));
        }) ==
        "copy_: axis 0 of the tensor of shape [4,3] repeats one element 4 times; change a clone()");
  CHECK(x.version() == 0);
  x.strided({1, 3}, {0, 1}).fill_(2.0);  // an axis of size 1 repeats nothing
  repeated.strided({4, 0}, {0, 1}).fill_(3.0);
  CHECK(x.data<float>()[2] == 2.0F);
}

TEST_CASE("changes in place count a version that all views share") {
  const Tensor x = Tensor::zeros({4});
  const Tensor view = x.strided({2}, {1});
  CHECK(x.version() == 0);
  view.fill_(1.0);
  CHECK(x.version() == 1);
  x.copy_(Tensor::ones({4}));
  CHECK(view.version() == 2);
  CHECK(x.clone().version() == 1);  // its own copy_
}

TEST_CASE("a handle is exclusive while nobody else can see its data") {
  Tensor x = Tensor::zeros({4});
  CHECK(x.is_exclusive());
  {
    const Tensor other = x;  // NOLINT(performance-unnecessary-copy-initialization): counted
    CHECK(other.is_same(x));
    CHECK_FALSE(x.is_exclusive());
  }
  CHECK(x.is_exclusive());
  const Tensor view = x.detach();
  CHECK_FALSE(x.is_exclusive());
}

TEST_CASE("set_data changes every handle, but not a tensor that requires gradients") {
  const Tensor x = Tensor::zeros({2});
  const Tensor handle = x;
  x.set_data(Tensor::arange(3));
  CHECK(handle.shape() == Shape{3});
  CHECK(handle.dtype() == DType::i64);
  const Tensor w = Tensor::zeros({2});
  w.set_requires_grad(true);
  CHECK(error_message([&] { w.set_data(x); }) ==
        "set_data: the tensor of shape [2] requires gradients");
  CHECK(error_message([&] { x.set_requires_grad(true); }) ==
        "set_requires_grad: only floating-point tensors have gradients, this one is i64 [3]");
  CHECK(error_message([&] { w.set_grad(x); }) ==
        "set_grad: the gradient is i64 [3], the tensor f32 [2]; both must agree");
  CHECK(error_message([&] { handle.set_grad(w); }) ==
        "set_grad: the tensor of shape [3] does not require gradients");
}

TEST_CASE("elements on a device this build does not have are refused") {
  CHECK(error_message([] {
          Tensor::zeros({1}, DType::f32, {DeviceType::cuda, 1});
        }) == "device cuda:1: this build has no CUDA support");
}

}  // namespace
}  // namespace diagrad
