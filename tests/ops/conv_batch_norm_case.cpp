#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "diagrad/ops/conv_batch_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Inputs: x [B,H,W,I], w [O,1,1,I], gamma, beta and, for a join, a residual and factors.
enum class Kind { relu, plain_join, pooled_join };

double* at(const Tensor& tensor) {
  return tensor.data<double>();
}

/// The normalised convolution, [rows, O].
std::vector<double> normalised(std::span<const Tensor> in) {
  const int64_t inputs = in[0].size(-1);
  const int64_t outputs = in[1].size(0);
  const int64_t rows = in[0].shape().numel(0, 3);
  std::vector<double> y(static_cast<size_t>(rows * outputs), 0.0);
  for (int64_t o = 0; o < outputs; ++o) {
    const auto value = [&](int64_t r) -> double& {
      return y[static_cast<size_t>(r * outputs + o)];
    };
    double mean = 0.0;
    double variance = 0.0;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < inputs; ++c) {
        value(r) += at(in[0])[r * inputs + c] * at(in[1])[o * inputs + c];
      }
      mean += value(r) / static_cast<double>(rows);
    }
    for (int64_t r = 0; r < rows; ++r) {
      variance += std::pow(value(r) - mean, 2) / static_cast<double>(rows);
    }
    for (int64_t r = 0; r < rows; ++r) {
      value(r) = (value(r) - mean) / std::sqrt(variance + 1e-5) * at(in[2])[o] + at(in[3])[o];
    }
  }
  return y;
}

std::vector<Tensor> reference(std::span<const Tensor> in, Kind kind) {
  const std::vector<double> y = normalised(in);
  const int64_t images = in[0].size(0);
  const int64_t positions = in[0].size(1) * in[0].size(2);
  const int64_t outputs = in[1].size(0);
  const Tensor z = Tensor::empty({images, in[0].size(1), in[0].size(2), outputs}, DType::f64);
  for (int64_t b = 0; b < images; ++b) {
    for (int64_t o = 0; o < outputs; ++o) {
      const auto index = [=](int64_t p) { return (b * positions + p) * outputs + o; };
      double s = 1.0;
      if (kind == Kind::pooled_join) {
        double mean = 0.0;
        for (int64_t p = 0; p < positions; ++p) {
          mean += y[static_cast<size_t>(index(p))] / static_cast<double>(positions);
        }
        s = at(in[5])[b * outputs + o] / (1.0 + std::exp(-mean));
      }
      for (int64_t p = 0; p < positions; ++p) {
        const double residual = kind == Kind::relu ? 0.0 : at(in[4])[index(p)];
        at(z)[index(p)] = std::max(y[static_cast<size_t>(index(p))] * s + residual, 0.0);
      }
    }
  }
  return {z};
}

std::vector<Tensor> run(std::span<const Tensor> in, Kind kind) {
  const BatchNormOptions options{.training = true};
  if (kind == Kind::relu) {
    return {conv_batch_norm_relu(in[0], {in[1]}, in[2], in[3], {}, {}, options)};
  }
  const bool pool = kind == Kind::pooled_join;
  BnScaleAddRelu join(in[0], {in[1]}, in[2], in[3], {}, {}, options, pool);
  if (!pool) return {join.add_relu(in[4])};
  return {join.scale_add_relu(mul(in[5], sigmoid(join.pooled())), in[4])};
}

/// x of shape [B,H,W,I] to `outputs` channels.
OpCase make_case(std::string variant, const Shape& x, int64_t outputs, Kind kind) {
  OpCase result;
  result.op = kind == Kind::relu ? "conv_batch_norm_relu" : "conv_bn_scale_add_relu";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{
        random_input(random, x), random_input(random, {outputs, 1, 1, x.back()}),
        random_input(random, {outputs}, 0.5, 1.5), random_input(random, {outputs})};
    if (kind != Kind::relu) {
      inputs.push_back(random_input(random, {x[0], x[1], x[2], outputs}));
      inputs.push_back(random_input(random, {x[0], outputs}, 0.2, 1.2));
    }
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) { return run(in, kind); };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, kind); };
  if (kind == Kind::plain_join) result.differentiable = {true, true, true, true, true, false};
  result.reduction_length = x.numel(0, 3) * x.back();
  return result;
}

/// The size of the one weight makes no difference to what is normalised: its gradient is what the
/// epsilon below the root leaves of terms of up to gamma |x dy| / deviation.
OpCase make_one_weight() {
  OpCase result = make_case("one input channel, one output", {2, 9, 11, 1}, 1, Kind::relu);
  result.gradient_terms = 20.0;
  return result;
}

const OpCaseRegistration registered{
    make_case("64 to 16 channels", {3, 8, 8, 64}, 16, Kind::relu),
    make_case("odd sizes", {2, 7, 5, 3}, 5, Kind::relu),
    make_case("several tiles", {1, 20, 15, 12}, 10, Kind::relu),
    make_one_weight(),
    make_case("plain", {3, 8, 8, 16}, 64, Kind::plain_join),
    make_case("plain, odd sizes", {3, 7, 5, 9}, 7, Kind::plain_join),
    make_case("factors of pooled", {4, 6, 6, 16}, 32, Kind::pooled_join),
    make_case("factors of pooled, odd sizes", {3, 7, 5, 5}, 3, Kind::pooled_join),
    make_case("factors of pooled, images across tiles", {5, 12, 11, 8}, 24, Kind::pooled_join),
};

}  // namespace
}  // namespace diagrad::testing
