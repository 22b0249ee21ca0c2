#include "diagrad/ops/activation.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// An activation, its formula and where its derivative jumps.
struct Activation {
  const char* name;
  Tensor (*run)(const Tensor&);
  double (*formula)(double);
  std::vector<double> kinks = {};
};

// Other spellings of the formulas than the kernels use.
double sigmoid_formula(double x) {
  return 0.5 * (1.0 + std::tanh(0.5 * x));
}
double tanh_formula(double x) {
  return 1.0 - 2.0 / (std::exp(2.0 * x) + 1.0);
}
double relu_formula(double x) {
  return std::fmax(x, 0.0);
}
double gelu_formula(double x) {
  return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
}
double gelu_tanh_formula(double x) {
  const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * std::pow(x, 3.0));
  return x / (1.0 + std::exp(-2.0 * u));
}
double silu_formula(double x) {
  return x / (1.0 + std::exp(-x));
}
double softplus_formula(double x) {
  return std::log(1.0 + std::exp(x));
}
double hardswish_formula(double x) {
  return x < -3.0 ? 0.0 : x > 3.0 ? x : x * (x + 3.0) / 6.0;
}

OpCase make_case(const Activation& activation, std::string variant, const Shape& shape,
                 double range = 6.0) {
  OpCase result;
  result.op = activation.name;
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    const Tensor x = random_input(random, shape, -range, range);
    for (const double kink : activation.kinks) away_from(x, {kink}, 0.05);
    return std::vector<Tensor>{x};
  };
  result.run = [run = activation.run](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0])};
  };
  result.reference = [formula = activation.formula](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(
        in[0].shape(), [&](const Index& index) { return formula(value_at(in[0], index)); })};
  };
  result.empty = shape.numel() == 0;
  return result;
}

const Activation kSigmoid{"sigmoid", sigmoid, sigmoid_formula};
const Activation kTanh{"tanh", tanh, tanh_formula};
const Activation kRelu{"relu", relu, relu_formula, {0.0}};
const Activation kGelu{"gelu", gelu, gelu_formula};
const Activation kGeluTanh{"gelu_tanh", gelu_tanh, gelu_tanh_formula};
const Activation kSilu{"silu", silu, silu_formula};
const Activation kSoftplus{"softplus", softplus, softplus_formula};
const Activation kHardswish{"hardswish", hardswish, hardswish_formula, {-3.0, 3.0}};

const OpCaseRegistration registered{
    make_case(kSigmoid, "images", {2, 5, 7, 3}),
    make_case(kSigmoid, "a scalar", {}),
    make_case(kSigmoid, "more than one chunk", {17, 2, 1003}),
    make_case(kSigmoid, "no values", {2, 0, 3}),
    make_case(kTanh, "images", {2, 5, 7, 3}, 3.0),
    make_case(kTanh, "five axes", {2, 1, 3, 1, 5}, 3.0),
    make_case(kTanh, "no values", {0}),
    make_case(kRelu, "images", {2, 5, 7, 3}),
    make_case(kRelu, "more than one chunk", {17, 2, 1003}),
    make_case(kRelu, "few values", {3}),
    make_case(kRelu, "no values", {0, 3}),
    make_case(kGelu, "tokens", {2, 9, 13}),
    make_case(kGelu, "more than one chunk", {17, 2, 1003}),
    make_case(kGelu, "no values", {3, 0}),
    make_case(kGeluTanh, "tokens", {2, 9, 13}),
    make_case(kGeluTanh, "more than one chunk", {17, 2, 1003}),
    make_case(kGeluTanh, "no values", {3, 0}),
    make_case(kSilu, "tokens", {2, 9, 13}),
    make_case(kSilu, "one column", {7, 1}),
    make_case(kSilu, "no values", {0}),
    make_case(kSoftplus, "tokens", {2, 9, 13}),
    make_case(kSoftplus, "far from 0", {41}, 30.0),
    make_case(kSoftplus, "no values", {0}),
    make_case(kHardswish, "all three pieces", {3, 7, 11}),
    make_case(kHardswish, "no values", {0, 5}),
};

}  // namespace
}  // namespace diagrad::testing
