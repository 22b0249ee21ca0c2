#include "diagrad/ops/conv2d.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// The definition, pixel by pixel.
std::vector<Tensor> reference(std::span<const Tensor> inputs, const Conv2dOptions& options) {
  const Tensor& x = inputs[0];
  const Tensor& w = inputs[1];
  const auto extent = [](int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const int64_t batch = x.size(0), height = x.size(1), width = x.size(2), channels = x.size(3);
  const int64_t outputs = w.size(0), kh = w.size(1), kw = w.size(2), part = w.size(3);
  const int64_t rows = extent(height, kh, options.stride.h, options.padding.h, options.dilation.h);
  const int64_t columns =
      extent(width, kw, options.stride.w, options.padding.w, options.dilation.w);
  const Tensor y = Tensor::empty({batch, rows, columns, outputs}, DType::f64);
  double* target = y.data<double>();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        for (int64_t o = 0; o < outputs; ++o) {
          double sum = inputs.size() > 2 ? inputs[2].data<double>()[o] : 0.0;
          const int64_t first = o / (outputs / options.groups) * part;
          for (int64_t r = 0; r < kh; ++r) {
            for (int64_t s = 0; s < kw; ++s) {
              const int64_t row = i * options.stride.h - options.padding.h + r * options.dilation.h;
              const int64_t column =
                  j * options.stride.w - options.padding.w + s * options.dilation.w;
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              const double* pixel =
                  x.data<double>() + ((b * height + row) * width + column) * channels + first;
              const double* weights = w.data<double>() + ((o * kh + r) * kw + s) * part;
              for (int64_t c = 0; c < part; ++c) sum += pixel[c] * weights[c];
            }
          }
          *target++ = sum;
        }
      }
    }
  }
  return {y};
}

OpCase make_case(std::string variant, const Shape& x, const Shape& w, const Conv2dOptions& options,
                 bool with_bias = false) {
  OpCase result;
  result.op = "conv2d";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, x), random_input(random, w)};
    if (with_bias) inputs.push_back(random_input(random, {w[0]}));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options)};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, options); };
  result.reduction_length = w[1] * w[2] * w[3];
  result.empty = x.numel() == 0 || w.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("3x3, 16 channels", {2, 8, 8, 16}, {16, 3, 3, 16}, {.padding = 1}),
    make_case("3x3 stem with bias", {2, 9, 7, 3}, {16, 3, 3, 3}, {.padding = 1}, true),
    make_case("3x3, odd channel counts", {2, 7, 5, 5}, {7, 3, 3, 5}, {.padding = 1}, true),
    make_case("3x3, 33 to 50 channels", {1, 5, 6, 33}, {50, 3, 3, 33}, {.padding = 1}),
    make_case("3x3 valid", {2, 6, 7, 4}, {5, 3, 3, 4}, {}),
    make_case("3x3 stride 2", {2, 8, 8, 16}, {32, 3, 3, 16}, {.stride = 2, .padding = 1}),
    make_case("3x3 stride 2, odd sizes", {2, 7, 9, 3}, {4, 3, 3, 3}, {.stride = 2, .padding = 1},
              true),
    make_case("strides 3 and 2", {1, 11, 8, 3}, {4, 3, 3, 3},
              {.stride = {3, 2}, .padding = {0, 2}}),
    make_case("stride larger than the kernel", {2, 11, 10, 3}, {4, 2, 2, 3}, {.stride = {3, 4}}),
    make_case("stride 3, padding 2, 2x2", {2, 5, 7, 3}, {4, 2, 2, 3}, {.stride = 3, .padding = 2}),
    make_case("1x1", {2, 5, 7, 12}, {20, 1, 1, 12}, {}, true),
    make_case("1x1, 64 to 16 channels", {2, 9, 9, 64}, {16, 1, 1, 64}, {}),
    make_case("1x1 stride 2", {2, 7, 8, 6}, {9, 1, 1, 6}, {.stride = 2}, true),
    make_case("1x1 with padding", {1, 4, 3, 5}, {6, 1, 1, 5}, {.padding = 1}, true),
    make_case("1x7", {2, 4, 9, 5}, {6, 1, 7, 5}, {.padding = {0, 3}}),
    make_case("5x2, paddings 2 and 0", {2, 6, 5, 3}, {4, 5, 2, 3}, {.padding = {2, 0}}, true),
    make_case("7x7 stride 2", {1, 15, 13, 3}, {8, 7, 7, 3}, {.stride = 2, .padding = 3}),
    make_case("kernel larger than the image", {2, 2, 3, 4}, {5, 5, 5, 4}, {.padding = 2}, true),
    make_case("dilation 2", {1, 9, 8, 4}, {5, 3, 3, 4}, {.padding = 2, .dilation = 2}, true),
    make_case("dilations 1 and 3, stride 2", {1, 9, 12, 4}, {5, 3, 3, 4},
              {.stride = 2, .padding = {1, 3}, .dilation = {1, 3}}),
    make_case("dilations 2 and 1", {1, 9, 8, 4}, {5, 3, 3, 4},
              {.padding = {2, 1}, .dilation = {2, 1}}),
    make_case("2 groups", {2, 6, 5, 8}, {6, 3, 3, 4}, {.padding = 1, .groups = 2}, true),
    make_case("4 groups, stride 2, odd channels", {2, 7, 5, 12}, {20, 3, 3, 3},
              {.stride = 2, .padding = 1, .groups = 4}),
    make_case("3 groups, 1x1", {2, 4, 4, 9}, {6, 1, 1, 3}, {.groups = 3}, true),
    make_case("depthwise 3x3", {2, 7, 9, 20}, {20, 3, 3, 1}, {.padding = 1, .groups = 20}, true),
    make_case("depthwise 3x3, 64 channels", {1, 6, 6, 64}, {64, 3, 3, 1},
              {.padding = 1, .groups = 64}),
    make_case("depthwise 5x3, stride 2, dilation 2", {2, 11, 9, 6}, {6, 5, 3, 1},
              {.stride = 2, .padding = {4, 2}, .dilation = 2, .groups = 6}),
    make_case("depthwise, stride 3, 2x2", {2, 8, 7, 18}, {18, 2, 2, 1},
              {.stride = 3, .groups = 18}),
    make_case("depthwise with 2 filters per channel", {2, 5, 6, 5}, {10, 3, 3, 1},
              {.padding = 1, .groups = 5}),
    make_case("image of one pixel", {3, 1, 1, 6}, {4, 3, 3, 6}, {.padding = 1}, true),
    make_case("one channel", {2, 6, 6, 1}, {1, 3, 3, 1}, {.padding = 1}),
    make_case("bands of a wide image", {1, 40, 70, 40}, {3, 3, 3, 40}, {.padding = 1}),
    make_case("empty batch", {0, 5, 5, 3}, {4, 3, 3, 3}, {.padding = 1}, true),
    make_case("no input channels", {2, 4, 4, 0}, {3, 3, 3, 0}, {.padding = 1}, true),
    make_case("no output channels", {2, 4, 4, 3}, {0, 3, 3, 3}, {.padding = 1}),
};

}  // namespace
}  // namespace diagrad::testing
