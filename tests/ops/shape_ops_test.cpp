#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/pad.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/transpose.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

TEST_CASE("reshape, transpose, slice and expand share the data, reshape of a transpose copies") {
  const Tensor x = Tensor::zeros({4, 6});
  CHECK(reshape(x, {3, 8}).shares_storage(x));
  CHECK(transpose(x, 0, 1).shares_storage(x));
  CHECK(slice(x, 1, 1, 6, 2).shares_storage(x));
  CHECK(expand(x, {2, 4, 6}).shares_storage(x));
  CHECK(expand(x, {4, 6}).is_same(x));
  CHECK_FALSE(reshape(transpose(x, 0, 1), {24}).shares_storage(x));
  CHECK_FALSE(pad(x, {{}, {}}).shares_storage(x));
  const Tensor parts[] = {x};
  CHECK_FALSE(concat(parts, 0).shares_storage(x));
}

TEST_CASE("shape operations move integers and booleans too") {
  const Tensor x = Tensor::arange(6);
  CHECK(slice(x, 0, 1, 6, 2).contiguous().data<int64_t>()[2] == 5);
  CHECK(pad(x, {{1, 0}}, -7.0).data<int64_t>()[0] == -7);
  const Tensor parts[] = {x.to(DType::u8), x.to(DType::u8)};
  CHECK(concat(parts, 0).data<uint8_t>()[11] == 5);
  CHECK(stack(parts, 1).data<uint8_t>()[11] == 5);
  CHECK(expand(reshape(x, {6, 1}), {6, 2}).contiguous().data<int64_t>()[11] == 5);
}

TEST_CASE("gradients of overlapping slices of one tensor add up") {
  const Tensor x = Tensor::arange(5, DType::f64);
  x.set_requires_grad(true);
  const Tensor parts[] = {slice(x, 0, 0, 4), slice(x, 0, 2, 5), slice(x, 0, 0, 5, 2)};
  backward(sum(concat(parts, 0)));
  const double expected[] = {2, 1, 3, 2, 2};
  for (int64_t i = 0; i < 5; ++i) CHECK(x.grad().data<double>()[i] == expected[i]);
}

TEST_CASE("one tensor may be joined with itself") {
  const Tensor x = Tensor::ones({2}, DType::f64);
  x.set_requires_grad(true);
  const Tensor parts[] = {x, x, x};
  backward(sum(stack(parts, 0)));
  CHECK(x.grad().data<double>()[1] == 3.0);
}

TEST_CASE("reshape says which counts do not agree") {
  const Tensor x = Tensor::zeros({3, 4});
  const auto error = [&](const Shape& shape) { return error_message([&] { reshape(x, shape); }); };
  CHECK(error({5, 2}) == "reshape: 12 elements of shape [3,4] do not fit shape [5,2]");
  CHECK(error({5, -1}) == "reshape: 12 elements of shape [3,4] do not fit shape [5,-1]");
  CHECK(error({0, -1}) == "reshape: 12 elements of shape [3,4] do not fit shape [0,-1]");
  CHECK(error({-1, -1}) ==
        "reshape: shape [-1,-1] has two sizes of -1, at most one can be worked out");
  CHECK(error({-3, -4}) == "reshape: shape [-3,-4] has a negative size other than -1");
  constexpr int64_t kHuge = int64_t{1} << 32;
  CHECK(error({kHuge, kHuge, 3, 4}) ==
        "shape [4294967296,4294967296,3,4] has more elements than 2^63 - 1; check its sizes");
  CHECK(error_message([&] { flatten(Tensor::zeros({}), 1); }) ==
        "flatten: axis 1 is out of range for a tensor of rank 0");
  CHECK(error_message([&] { squeeze(x, 1); }) ==
        "squeeze: axis 1 of shape [3,4] has size 4, only 1 can go");
  CHECK(error_message([&] { unsqueeze(x, 4); }) ==
        "unsqueeze: axis 4 is out of range for a tensor of rank 3");
  CHECK(error_message([&] {
          unsqueeze(Tensor::zeros({1, 1, 1, 1, 1, 1, 1, 1}), 0);
        }) == "shape [1,1,1,1,1,1,1,1] has 8 axes already, at most 8 are supported");
}

TEST_CASE("transpose, slice and expand say what is out of range") {
  const Tensor x = Tensor::zeros({3, 4});
  CHECK(error_message([&] { transpose(x, 0, 2); }) ==
        "transpose: axis 2 is out of range for a tensor of rank 2");
  CHECK(error_message([&] { permute(x, {0}); }) ==
        "permute: axes [0] do not name each of the 2 axes of shape [3,4] once");
  CHECK(error_message([&] {
          permute(x, {0, 0});
        }) == "permute: axes [0,0] do not name each of the 2 axes of shape [3,4] once");
  CHECK(error_message([&] {
          permute(x, {0, 1, 1});
        }) == "permute: axes [0,1,1] do not name each of the 2 axes of shape [3,4] once");
  CHECK(error_message([&] { slice(x, 2, 0, 1); }) ==
        "slice: axis 2 is out of range for a tensor of rank 2");
  CHECK(error_message([&] { slice(x, 0, 0, 3, 0); }) == "slice: step 0 is below 1, shape [3,4]");
  CHECK(error_message([&] { chunk(x, 3, 1); }) ==
        "chunk: axis 1 of shape [3,4] has size 4, not a multiple of 3");
  CHECK(error_message([&] { chunk(x, 0, 1); }) ==
        "chunk: axis 1 of shape [3,4] has size 4, not a multiple of 0");
  CHECK(error_message([&] { chunk(x, 2, 2); }) ==
        "chunk: axis 2 is out of range for a tensor of rank 2");
  CHECK(error_message([&] {
          expand(x, {3, 8});
        }) ==
        "expand: shapes [3,4] and [3,8] do not broadcast: axis -1 has sizes 4 and 8; reshape one "
        "side so that the sizes agree or are 1");
  CHECK(error_message([&] { expand(x, {4}); }) ==
        "expand: shape [3,4] does not stretch to [4]; only axes of size 1 do");
  CHECK(error_message([&] {
          expand(x, {3, 1});
        }) == "expand: shape [3,4] does not stretch to [3,1]; only axes of size 1 do");
}

TEST_CASE("concat, stack and pad say which tensors do not fit") {
  const Tensor a = Tensor::zeros({3, 4});
  const Tensor b = Tensor::zeros({3, 5});
  const Tensor pair[] = {a, b};
  CHECK(error_message([&] { concat({}, 0); }) == "concat: no tensors given");
  CHECK(error_message([&] { concat(pair, 0); }) ==
        "concat: tensor 1 is f32 [3,5], the first one f32 [3,4]; all but axis 0 must agree");
  CHECK(error_message([&] { concat(pair, 2); }) ==
        "concat: axis 2 is out of range for a tensor of rank 2");
  const Tensor mixed[] = {a, a.to(DType::f64)};
  CHECK(error_message([&] { concat(mixed, 0); }) ==
        "concat: tensor 1 is f64 [3,4], the first one f32 [3,4]; all but axis 0 must agree");
  CHECK(error_message([&] { stack({}, 0); }) == "stack: no tensors given");
  CHECK(error_message([&] { stack(pair, 0); }) ==
        "stack: tensor 1 is f32 [3,5], the first one f32 [3,4]; all must agree");
  const Tensor alone[] = {a};
  CHECK(error_message([&] { stack(alone, 3); }) ==
        "stack: axis 3 is out of range for a tensor of rank 3");
  CHECK(error_message([&] {
          pad(a, {{1, 1}});
        }) == "pad: 1 sizes given for the 2 axes of shape [3,4]");
  CHECK(error_message([&] {
          pad(a, {{0, 0}, {-1, 2}});
        }) == "pad: sizes -1 and 2 of axis 1 must not be negative; use slice to cut");
}

TEST_CASE("pad refuses sizes whose sum no number holds") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  CHECK(error_message([&] {
          pad(Tensor::zeros({3, 4}), {{}, {kMost, kMost}});  // would wrap to 2
        }) ==
        "pad: 9223372036854775807 before and 9223372036854775807 after axis 1 of shape [3,4] are "
        "more than 2^63 - 1");
  constexpr int64_t kHuge = int64_t{1} << 40;
  const Tensor none = Tensor::zeros({0, 4, 4});
  none.set_requires_grad(true);
  const Tensor y = pad(none, {{}, {kHuge, kHuge}, {kHuge, kHuge}});
  CHECK(y.shape() == Shape{0, 2 * kHuge + 4, 2 * kHuge + 4});
  backward(y, Tensor::empty(y.shape()));
  CHECK(none.grad().shape() == none.shape());
}

}  // namespace
}  // namespace diagrad
