#include "diagrad/ops/dropout.h"

#include <cmath>
#include <utility>

#include "diagrad/core/philox.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_case(bool whole_samples, std::string variant, const Shape& shape, double p) {
  OpCase result;
  result.op = whole_samples ? "drop_path" : "dropout";
  result.variant = std::move(variant);
  const DropoutOptions options{.p = p, .seed = 7, .stream = 3};
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{whole_samples ? drop_path(in[0], options) : dropout(in[0], options)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    const Tensor y = Tensor::empty_like(in[0]);
    const int64_t values = whole_samples ? shape.numel(1, shape.rank()) : 1;
    for (int64_t i = 0; i < y.numel(); ++i) {
      const auto element = static_cast<uint64_t>(i / values);
      const uint32_t word = philox4x32(7, 3, element / 4).word[element % 4];
      const bool keep = static_cast<double>(word) >= p * 4294967296.0;
      y.data<double>()[i] = keep ? in[0].data<double>()[i] / (1.0 - p) : 0.0;
    }
    return std::vector<Tensor>{y};
  };
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case(false, "a half", {5, 7, 3}, 0.5),
    make_case(false, "a tenth, more than one chunk", {97, 101}, 0.1),
    make_case(false, "nothing dropped", {9}, 0.0),
    make_case(false, "no elements", {0, 3}, 0.5),
    make_case(true, "a half", {13, 3, 5}, 0.5),
    make_case(true, "a fifth, more than one chunk", {33, 29, 31}, 0.2),
    make_case(true, "no samples", {0, 3}, 0.5),
};

}  // namespace
}  // namespace diagrad::testing
