#include <cmath>
#include <utility>

#include "diagrad/ops/group_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

constexpr double kEpsilon = 1e-5;

/// What a case stresses; x is [B,H,W,C], w [O,k,k,C].
struct Sizes {
  Shape x;
  int64_t groups;
  int64_t outputs;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
  bool shift = true;
  bool affine = true;
  bool bias = true;
};

/// The inputs by name: x, w, then those that the case has.
struct Given {
  Given(const Sizes& sizes, std::span<const Tensor> in) : x(in[0]), w(in[1]) {
    size_t next = 2;
    if (sizes.shift) shift = in[next++];
    if (sizes.affine) {
      gamma = in[next++];
      beta = in[next++];
    }
    if (sizes.bias) bias = in[next++];
  }
  Tensor x, w, shift, gamma, beta, bias;
};

double at(const Tensor& vector, int64_t i, double otherwise) {
  return vector.defined() ? vector.data<double>()[i] : otherwise;
}

/// silu(gamma (x + shift - mean) / sqrt(var + epsilon) + beta), by the definition.
std::vector<double> activations(const Sizes& sizes, const Given& in) {
  const int64_t positions = sizes.x[1] * sizes.x[2];
  const int64_t channels = sizes.x[3];
  const int64_t size = channels / sizes.groups;
  std::vector<double> result(static_cast<size_t>(in.x.numel()));
  for (int64_t set = 0; set < sizes.x[0] * sizes.groups && positions > 0; ++set) {
    const int64_t image = set / sizes.groups;
    const int64_t first = set % sizes.groups * size;
    const auto visit = [&](const auto& body) {
      for (int64_t p = 0; p < positions; ++p) {
        for (int64_t c = first; c < first + size; ++c) {
          const int64_t i = (image * positions + p) * channels + c;
          body(i, c, in.x.data<double>()[i] + at(in.shift, image * channels + c, 0.0));
        }
      }
    };
    double mean = 0.0;
    double variance = 0.0;
    const auto count = static_cast<double>(positions * size);
    visit([&](int64_t /*i*/, int64_t /*c*/, double value) { mean += value / count; });
    visit([&](int64_t /*i*/, int64_t /*c*/, double value) {
      variance += (value - mean) * (value - mean) / count;
    });
    visit([&](int64_t i, int64_t c, double value) {
      const double n = at(in.gamma, c, 1.0) * (value - mean) / std::sqrt(variance + kEpsilon) +
                       at(in.beta, c, 0.0);
      result[static_cast<size_t>(i)] = n / (1.0 + std::exp(-n));
    });
  }
  return result;
}

std::vector<Tensor> reference(const Sizes& sizes, const Given& in) {
  const std::vector<double> a = activations(sizes, in);
  const int64_t height = (sizes.x[1] + 2 * sizes.padding - sizes.kernel) / sizes.stride + 1;
  const int64_t width = (sizes.x[2] + 2 * sizes.padding - sizes.kernel) / sizes.stride + 1;
  const Tensor y = Tensor::empty({sizes.x[0], height, width, sizes.outputs}, DType::f64);
  for (int64_t index = 0; index < y.numel(); ++index) {
    const int64_t o = index % sizes.outputs;
    const int64_t column = index / sizes.outputs % width;
    const int64_t row = index / sizes.outputs / width % height;
    const int64_t image = index / sizes.outputs / width / height;
    double sum = at(in.bias, o, 0.0);
    for (int64_t r = 0; r < sizes.kernel; ++r) {
      for (int64_t s = 0; s < sizes.kernel; ++s) {
        const int64_t i = row * sizes.stride - sizes.padding + r;
        const int64_t j = column * sizes.stride - sizes.padding + s;
        if (i < 0 || i >= sizes.x[1] || j < 0 || j >= sizes.x[2]) continue;
        for (int64_t c = 0; c < sizes.x[3]; ++c) {
          sum +=
              a[static_cast<size_t>(((image * sizes.x[1] + i) * sizes.x[2] + j) * sizes.x[3] + c)] *
              in.w.data<double>()[((o * sizes.kernel + r) * sizes.kernel + s) * sizes.x[3] + c];
        }
      }
    }
    y.data<double>()[index] = sum;
  }
  return {y};
}

OpCase make_case(std::string variant, const Sizes& sizes) {
  OpCase result;
  result.op = "group_norm_silu_conv2d";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    const Shape channels{sizes.x[3]};
    std::vector<Tensor> inputs{
        random_input(random, sizes.x),
        random_input(random, {sizes.outputs, sizes.kernel, sizes.kernel, sizes.x[3]})};
    if (sizes.shift) inputs.push_back(random_input(random, {sizes.x[0], sizes.x[3]}));
    if (sizes.affine) {
      inputs.push_back(random_input(random, channels, 0.5, 1.5));
      inputs.push_back(random_input(random, channels));
    }
    if (sizes.bias) inputs.push_back(random_input(random, {sizes.outputs}));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    const Given given(sizes, in);
    return std::vector<Tensor>{group_norm_silu_conv2d(
        {given.x, given.gamma, given.beta, given.shift, {sizes.groups, kEpsilon}}, given.w,
        given.bias, {.stride = sizes.stride, .padding = sizes.padding})};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(sizes, Given(sizes, in)); };
  result.reduction_length =
      sizes.x.numel() / std::max<int64_t>(sizes.x[0], 1) + sizes.kernel * sizes.kernel * sizes.x[3];
  result.empty = sizes.x.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("3x3, groups of four", {{3, 5, 4, 16}, 4, 6}),
    make_case("3x3, odd images, groups of three", {{2, 7, 5, 9}, 3, 5}),
    make_case("3x3, tiles of several vectors", {{2, 13, 9, 48}, 8, 40}),
    make_case("1x1 without shift and bias",
              {{2, 4, 5, 6}, 2, 3, 1, 1, 0, /*shift=*/false, /*affine=*/true, /*bias=*/false}),
    make_case("stride 2 without gamma and beta",
              {{2, 6, 6, 8}, 4, 4, 3, 2, 1, /*shift=*/true, /*affine=*/false, /*bias=*/true}),
    make_case("one group", {{2, 3, 3, 5}, 1, 2}),
    make_case("no images", {{0, 3, 3, 4}, 2, 2}),
};

}  // namespace
}  // namespace diagrad::testing
