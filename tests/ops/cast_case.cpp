#include "diagrad/ops/cast.h"

#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// To the other of f32 and f64 and back. The values are so small that f32 resolves the steps of
/// the gradient check, 1e-6, to 7 digits.
OpCase make_case(std::string variant, const Shape& shape) {
  OpCase result;
  result.op = "cast";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape, -5e-6, 5e-6)};
  };
  result.run = [](std::span<const Tensor> in) {
    const DType other = in[0].dtype() == DType::f64 ? DType::f32 : DType::f64;
    return std::vector<Tensor>{cast(cast(in[0], other), in[0].dtype())};
  };
  result.reference = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(in[0].shape(), [&](const Index& index) {
      return static_cast<double>(static_cast<float>(value_at(in[0], index)));
    })};
  };
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("there and back", {3, 5, 7}),
    make_case("a scalar", {}),
    make_case("more than one chunk", {17, 1003}),
    make_case("no values", {0, 3}),
};

}  // namespace
}  // namespace diagrad::testing
