#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

enum class Kind {
  plain,     ///< relu(norm(x) + residual)
  factors,   ///< relu(norm(x) * s + residual)
  attention  ///< the same with s * sigmoid(pooled)
};

/// Inputs: x, gamma, beta, residual, s and, for evaluation, running mean and variance.
constexpr size_t kRunning = 5;

double* at(const Tensor& tensor) {
  return tensor.data<double>();
}

Tensor normalised(std::span<const Tensor> in) {
  const Tensor& x = in[0];
  const int64_t channels = x.size(-1);
  const int64_t rows = x.numel() / channels;
  const Tensor y = Tensor::empty_like(x);
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0.0;
    double variance = 0.0;
    if (in.size() > kRunning) {
      mean = at(in[kRunning])[c];
      variance = at(in[kRunning + 1])[c];
    } else {
      for (int64_t r = 0; r < rows; ++r) mean += at(x)[r * channels + c] / rows;
      for (int64_t r = 0; r < rows; ++r) {
        variance += std::pow(at(x)[r * channels + c] - mean, 2) / rows;
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      const double normal = (at(x)[r * channels + c] - mean) / std::sqrt(variance + 1e-5);
      at(y)[r * channels + c] = normal * at(in[1])[c] + at(in[2])[c];
    }
  }
  return y;
}

std::vector<Tensor> reference(std::span<const Tensor> in, Kind kind) {
  const Tensor y = normalised(in);
  const int64_t images = y.size(0);
  const int64_t channels = y.size(-1);
  const int64_t positions = y.shape().numel(1, y.rank() - 1);
  Tensor z = Tensor::empty_like(y);
  const Tensor pooled = Tensor::zeros({images, channels}, DType::f64);
  for (int64_t b = 0; b < images; ++b) {
    for (int64_t c = 0; c < channels; ++c) {
      const auto index = [=](int64_t p) { return (b * positions + p) * channels + c; };
      double& mean = at(pooled)[b * channels + c];
      for (int64_t p = 0; p < positions; ++p) mean += at(y)[index(p)] / positions;
      double s = kind == Kind::plain ? 1.0 : at(in[4])[b * channels + c];
      if (kind == Kind::attention) s /= 1.0 + std::exp(-mean);
      for (int64_t p = 0; p < positions; ++p) {
        at(z)[index(p)] = std::max(at(y)[index(p)] * s + at(in[3])[index(p)], 0.0);
      }
    }
  }
  return {z};
}

std::vector<Tensor> run(std::span<const Tensor> in, Kind kind) {
  const bool training = in.size() == kRunning;
  BnScaleAddRelu join(in[0], in[1], in[2], training ? Tensor() : in[kRunning],
                      training ? Tensor() : in[kRunning + 1], {.training = training},
                      kind == Kind::attention);
  if (kind == Kind::plain) return {join.add_relu(in[3])};
  if (kind == Kind::factors) return {join.scale_add_relu(in[4], in[3])};
  const Tensor s = mul(in[4], sigmoid(join.pooled()));
  return {join.scale_add_relu(s, in[3])};
}

OpCase make_case(std::string variant, const Shape& shape, Kind kind, bool training,
                 double offset = 0.0) {
  OpCase result;
  result.op = "bn_scale_add_relu";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    const Shape channels{shape.back()};
    std::vector<Tensor> inputs{random_input(random, shape, offset - 1.0, offset + 1.0),
                               random_input(random, channels, 0.5, 1.5),
                               random_input(random, channels), random_input(random, shape),
                               random_input(random, {shape[0], shape.back()}, 0.2, 1.2)};
    if (!training) {
      inputs.push_back(random_input(random, channels));
      inputs.push_back(random_input(random, channels, 0.5, 2.0));
    }
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) { return run(in, kind); };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, kind); };
  result.differentiable = {true, true, true, true, kind != Kind::plain};
  if (!training) result.differentiable.insert(result.differentiable.end(), 2, false);
  result.reduction_length = shape.numel(0, shape.rank() - 1);
  return result;
}

const OpCaseRegistration registered{
    make_case("training, images", {4, 6, 6, 16}, Kind::plain, true),
    make_case("training, odd sizes", {3, 7, 5, 3}, Kind::plain, true),
    make_case("evaluation, odd sizes", {3, 5, 7, 9}, Kind::plain, false),
    make_case("training, factors", {4, 6, 6, 16}, Kind::factors, true),
    make_case("training, factors of odd images", {3, 7, 5, 5}, Kind::factors, true),
    make_case("training, factors, one channel", {2, 9, 11, 1}, Kind::factors, true),
    make_case("evaluation, factors", {3, 5, 7, 9}, Kind::factors, false),
    make_case("training, factors of pooled", {4, 6, 6, 16}, Kind::attention, true),
    make_case("training, factors of pooled, odd", {3, 7, 5, 7}, Kind::attention, true),
    make_case("training, factors of pooled, tokens", {2, 5, 300}, Kind::attention, true),
    make_case("training, factors of pooled, rows", {11, 6}, Kind::attention, true),
    make_case("training, factors of pooled, images of several parts", {2, 101, 103, 13},
              Kind::attention, true),
    make_case("training, factors of pooled, mean ten times the deviation", {5, 9, 9, 6},
              Kind::attention, true, 6.0),
    make_case("evaluation, factors of pooled", {3, 5, 7, 9}, Kind::attention, false),
};

}  // namespace
}  // namespace diagrad::testing
