#include <cmath>
#include <utility>

#include "diagrad/ops/losses.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

double squared_error(double x, double y) {
  return (x - y) * (x - y);
}

double cross_entropy_of_bit(double x, double y) {
  const double p = 1.0 / (1.0 + std::exp(-x));
  const double q = 1.0 / (1.0 + std::exp(x));  // 1 - p without cancellation
  return -y * std::log(p) - (1.0 - y) * std::log(q);
}

OpCase make_case(std::string op, std::string variant, const Shape& shape, double range = 2.0) {
  const bool is_mse = op == "mse";
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape, -range, range),
                               random_input(random, shape, 0.0, 1.0)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{is_mse ? mse(in[0], in[1]) : bce_with_logits(in[0], in[1])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    double sum = 0.0;
    for (int64_t i = 0; i < in[0].numel(); ++i) {
      const double x = in[0].data<double>()[i];
      const double y = in[1].data<double>()[i];
      sum += is_mse ? squared_error(x, y) : cross_entropy_of_bit(x, y);
    }
    const double mean = sum / static_cast<double>(in[0].numel());
    return std::vector<Tensor>{Tensor::full({}, mean, DType::f64)};
  };
  result.reduction_length = shape.numel();
  return result;
}

const OpCaseRegistration registered{
    make_case("mse", "odd sizes", {3, 5, 7}),
    make_case("mse", "scalars", {}),
    make_case("mse", "more than one chunk", {123, 457}),
    make_case("bce_with_logits", "odd sizes", {3, 5, 7}),
    make_case("bce_with_logits", "confident logits", {41}, 30.0),
    make_case("bce_with_logits", "more than one chunk", {123, 457}),
};

}  // namespace
}  // namespace diagrad::testing
