#include "diagrad/ops/conv1d.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

std::vector<Tensor> reference(std::span<const Tensor> inputs, const Conv1dOptions& options) {
  const Tensor& x = inputs[0];
  const Tensor& w = inputs[1];
  const int64_t batch = x.size(0), length = x.size(1), channels = x.size(2);
  const int64_t outputs = w.size(0), taps = w.size(1), part = w.size(2);
  const int64_t result_length =
      (length + 2 * options.padding - options.dilation * (taps - 1) - 1) / options.stride + 1;
  const Tensor y = Tensor::empty({batch, result_length, outputs}, DType::f64);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < result_length; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        double sum = inputs.size() > 2 ? inputs[2].data<double>()[o] : 0.0;
        for (int64_t s = 0; s < taps; ++s) {
          const int64_t at = i * options.stride - options.padding + s * options.dilation;
          if (at < 0 || at >= length) continue;
          for (int64_t c = 0; c < part; ++c) {
            const int64_t channel = o / (outputs / options.groups) * part + c;
            sum += x.data<double>()[(b * length + at) * channels + channel] *
                   w.data<double>()[(o * taps + s) * part + c];
          }
        }
        y.data<double>()[(b * result_length + i) * outputs + o] = sum;
      }
    }
  }
  return {y};
}

OpCase make_case(std::string variant, const Shape& x, const Shape& w, const Conv1dOptions& options,
                 bool with_bias = false) {
  OpCase result;
  result.op = "conv1d";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, x), random_input(random, w)};
    if (with_bias) inputs.push_back(random_input(random, {w[0]}));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{conv1d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options)};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, options); };
  result.reduction_length = w[1] * w[2];
  result.empty = x.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("channel attention: one channel, 5 taps", {3, 64, 1}, {1, 5, 1}, {.padding = 2}),
    make_case("odd sizes with bias", {2, 13, 5}, {7, 4, 5}, {.padding = 1}, true),
    make_case("stride 3, dilation 2", {2, 17, 3}, {4, 3, 3},
              {.stride = 3, .padding = 2, .dilation = 2}),
    make_case("groups", {2, 9, 6}, {4, 3, 3}, {.padding = 1, .groups = 2}, true),
    make_case("depthwise", {2, 12, 17}, {17, 3, 1}, {.padding = 1, .groups = 17}),
    make_case("one tap", {2, 6, 5}, {4, 1, 5}, {}, true),
    make_case("empty batch", {0, 6, 5}, {4, 3, 5}, {}),
};

}  // namespace
}  // namespace diagrad::testing
