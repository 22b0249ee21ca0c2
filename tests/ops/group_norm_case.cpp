#include "diagrad/ops/group_norm.h"

#include <cmath>
#include <utility>

#include "diagrad/ops/layer_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Both operations by the definition: x as [sets, positions, groups, size], each (set, group)
/// normalised over positions and size.
std::vector<Tensor> reference(std::span<const Tensor> in, int64_t sets, int64_t groups) {
  const Tensor& x = in[0];
  const int64_t channels = x.size(-1);
  const int64_t size = channels / groups;
  const int64_t positions = x.numel() == 0 ? 0 : x.numel() / channels / sets;
  const Tensor y = Tensor::empty_like(x);
  const auto count = static_cast<double>(positions * size);
  for (int64_t s = 0; s < sets; ++s) {
    for (int64_t g = 0; g < groups; ++g) {
      const auto index = [=](int64_t p, int64_t k) {
        return (s * positions + p) * channels + g * size + k;
      };
      double mean = 0.0;
      for (int64_t p = 0; p < positions; ++p) {
        for (int64_t k = 0; k < size; ++k) mean += x.data<double>()[index(p, k)] / count;
      }
      double variance = 0.0;
      for (int64_t p = 0; p < positions; ++p) {
        for (int64_t k = 0; k < size; ++k) {
          variance += std::pow(x.data<double>()[index(p, k)] - mean, 2.0) / count;
        }
      }
      for (int64_t p = 0; p < positions; ++p) {
        for (int64_t k = 0; k < size; ++k) {
          const int64_t c = g * size + k;
          const double gamma = in.size() > 1 ? in[1].data<double>()[c] : 1.0;
          const double beta = in.size() > 1 ? in[2].data<double>()[c] : 0.0;
          y.data<double>()[index(p, k)] =
              gamma * (x.data<double>()[index(p, k)] - mean) / std::sqrt(variance + 1e-5) + beta;
        }
      }
    }
  }
  return {y};
}

OpCase make_case(std::string op, std::string variant, const Shape& shape, int64_t groups,
                 bool affine = true, double offset = 0.0) {
  const bool by_row = op == "layer_norm";
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, shape, offset - 1.0, offset + 1.0)};
    if (affine) {
      inputs.push_back(random_input(random, {shape.back()}, 0.5, 1.5));
      inputs.push_back(random_input(random, {shape.back()}));
    }
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    const Tensor gamma = in.size() > 1 ? in[1] : Tensor();
    const Tensor beta = in.size() > 1 ? in[2] : Tensor();
    return std::vector<Tensor>{by_row ? layer_norm(in[0], gamma, beta)
                                      : group_norm(in[0], gamma, beta, {.groups = groups})};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return reference(in, by_row ? shape.numel(0, shape.rank() - 1) : shape[0], groups);
  };
  result.reduction_length = by_row ? shape.back() : shape.numel() / std::max<int64_t>(shape[0], 1);
  result.empty = shape.numel() == 0;
  return result;
}

/// layer_norm_linear: x, w, then gamma and beta, and a bias.
OpCase linear_case(std::string variant, const Shape& shape, int64_t outputs, bool affine,
                   bool bias) {
  OpCase result = make_case("layer_norm", std::move(variant), shape, 1, affine);
  result.op = "layer_norm_linear";
  const size_t vectors = affine ? 3 : 1;
  result.inputs = [=, inputs = result.inputs](RandomStream& random) {
    std::vector<Tensor> all = inputs(random);
    all.push_back(random_input(random, {outputs, shape.back()}));
    if (bias) all.push_back(random_input(random, {outputs}));
    return all;
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{layer_norm_linear(in[0], affine ? in[1] : Tensor(),
                                                 affine ? in[2] : Tensor(), in[vectors],
                                                 bias ? in[vectors + 1] : Tensor())};
  };
  result.reference = [=, norm = result.reference](std::span<const Tensor> in) {
    const Tensor rows = norm(in.first(vectors))[0];
    const Tensor& w = in[vectors];
    Shape to = shape;
    to[to.rank() - 1] = outputs;
    const Tensor y = Tensor::empty(to, DType::f64);
    for (int64_t i = 0; i < y.numel(); ++i) {
      const int64_t row = i / outputs;
      const int64_t o = i % outputs;
      double sum = bias ? in[vectors + 1].data<double>()[o] : 0.0;
      for (int64_t k = 0; k < w.size(1); ++k) {
        sum += rows.data<double>()[row * w.size(1) + k] * w.data<double>()[o * w.size(1) + k];
      }
      y.data<double>()[i] = sum;
    }
    return std::vector<Tensor>{y};
  };
  result.reduction_length = 2 * shape.back();
  return result;
}

const OpCaseRegistration registered{
    make_case("group_norm", "images, four groups", {3, 5, 4, 16}, 4),
    make_case("group_norm", "odd images, groups of three", {2, 7, 5, 9}, 3),
    make_case("group_norm", "one group", {2, 3, 3, 5}, 1),
    make_case("group_norm", "a group per channel", {2, 5, 5, 6}, 6),
    make_case("group_norm", "rows of features", {4, 12}, 3),
    make_case("group_norm", "without gamma and beta", {2, 4, 3, 8}, 2, false),
    make_case("group_norm", "large images", {2, 41, 37, 24}, 8),
    make_case("group_norm", "mean ten times the deviation", {2, 9, 9, 6}, 2, true, 6.0),
    make_case("group_norm", "no images", {0, 3, 3, 4}, 2),
    make_case("group_norm", "no positions", {2, 0, 3, 4}, 2),
    make_case("layer_norm", "tokens", {2, 7, 48}, 1),
    make_case("layer_norm", "odd rows", {5, 19}, 1),
    make_case("layer_norm", "a vector", {9}, 1),
    linear_case("tokens", {2, 7, 48}, 30, true, true),
    linear_case("odd rows without gamma, beta and bias", {5, 19}, 7, false, false),
    linear_case("a vector", {9}, 4, true, true),
    linear_case("more work than one thread takes", {301, 96}, 40, true, false),
    linear_case("no rows", {0, 9}, 4, true, true),
    make_case("layer_norm", "three features", {6, 3}, 1),
    make_case("layer_norm", "without gamma and beta", {3, 33}, 1, false),
    make_case("layer_norm", "more than one chunk", {301, 131}, 1),
    make_case("layer_norm", "mean ten times the deviation", {9, 65}, 1, true, 6.0),
    make_case("layer_norm", "no rows", {0, 8}, 1),
    make_case("layer_norm", "no features", {3, 0}, 1),
};

}  // namespace
}  // namespace diagrad::testing
