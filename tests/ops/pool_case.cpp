#include "diagrad/ops/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_global_case(std::string variant, const Shape& shape) {
  OpCase result;
  result.op = "global_avg_pool";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{global_avg_pool(in[0])};
  };
  result.reference = [](std::span<const Tensor> in) {
    const Tensor& x = in[0];
    const int64_t channels = x.size(-1);
    const int64_t positions = x.shape().numel(1, x.rank() - 1);
    const Tensor y = Tensor::empty({x.size(0), channels}, DType::f64);
    for (int64_t b = 0; b < x.size(0); ++b) {
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0.0;
        for (int64_t p = 0; p < positions; ++p) {
          sum += x.data<double>()[(b * positions + p) * channels + c];
        }
        y.data<double>()[b * channels + c] = sum / static_cast<double>(positions);
      }
    }
    return std::vector<Tensor>{y};
  };
  result.reduction_length = shape.numel(1, shape.rank() - 1);
  result.empty = shape.numel() == 0;
  return result;
}

/// One window along one axis, by the definition.
struct Window {
  int64_t first, last;  // inside the image
  int64_t full;         // size with padding
};

std::vector<Window> strided_windows(int64_t input, int64_t kernel, int64_t stride,
                                    int64_t padding) {
  std::vector<Window> windows;
  for (int64_t start = -padding; start + kernel <= input + padding; start += stride) {
    windows.push_back({std::max<int64_t>(start, 0), std::min(start + kernel, input), kernel});
  }
  return windows;
}

std::vector<Window> adaptive_windows(int64_t input, int64_t output) {
  std::vector<Window> windows;
  for (int64_t i = 0; i < output; ++i) {
    const double step = static_cast<double>(input) / static_cast<double>(output);
    const auto first = static_cast<int64_t>(std::floor(static_cast<double>(i) * step + 1e-9));
    const auto last = static_cast<int64_t>(std::ceil(static_cast<double>(i + 1) * step - 1e-9));
    windows.push_back({first, last, last - first});
  }
  return windows;
}

std::vector<Tensor> pool_reference(const Tensor& x, const std::vector<Window>& rows,
                                   const std::vector<Window>& columns, bool largest,
                                   bool whole_divisor) {
  const int64_t channels = x.size(3);
  const Tensor y = Tensor::empty({x.size(0), static_cast<int64_t>(rows.size()),
                                  static_cast<int64_t>(columns.size()), channels},
                                 DType::f64);
  double* out = y.data<double>();
  for (int64_t b = 0; b < x.size(0); ++b) {
    for (const Window& row : rows) {
      for (const Window& column : columns) {
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0.0;
          double best = -std::numeric_limits<double>::infinity();
          for (int64_t h = row.first; h < row.last; ++h) {
            for (int64_t w = column.first; w < column.last; ++w) {
              const int64_t place = (b * x.size(1) + h) * x.size(2) + w;
              const double value = x.data<double>()[place * channels + c];
              sum += value;
              best = std::max(best, value);
            }
          }
          const int64_t divisor = whole_divisor
                                      ? row.full * column.full
                                      : (row.last - row.first) * (column.last - column.first);
          *out++ = largest ? best : sum / static_cast<double>(divisor);
        }
      }
    }
  }
  return {y};
}

OpCase make_window_case(std::string op, std::string variant, const Shape& shape,
                        const Pool2dOptions& options) {
  const bool largest = op == "max_pool2d";
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{largest ? max_pool2d(in[0], options) : avg_pool2d(in[0], options)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    const Size2 stride = options.stride == Size2(0) ? options.kernel : options.stride;
    return pool_reference(
        in[0], strided_windows(in[0].size(1), options.kernel.h, stride.h, options.padding.h),
        strided_windows(in[0].size(2), options.kernel.w, stride.w, options.padding.w), largest,
        options.count_include_pad);
  };
  result.reduction_length = options.kernel.h * options.kernel.w;
  result.empty = shape.numel() == 0;
  return result;
}

OpCase make_adaptive_case(std::string variant, const Shape& shape, Size2 size) {
  OpCase result;
  result.op = "adaptive_avg_pool2d";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{adaptive_avg_pool2d(in[0], size)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return pool_reference(in[0], adaptive_windows(in[0].size(1), size.h),
                          adaptive_windows(in[0].size(2), size.w), false, false);
  };
  result.reduction_length = shape[1] * shape[2];
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_global_case("images", {3, 8, 8, 16}),
    make_global_case("odd images of three channels", {2, 7, 5, 3}),
    make_global_case("tokens", {2, 9, 48}),
    make_global_case("one position", {4, 1, 1, 6}),
    make_global_case("rows", {4, 6}),
    make_global_case("images in several parts", {2, 113, 97, 13}),
    make_global_case("no images", {0, 4, 4, 3}),
    make_global_case("no channels", {2, 4, 4, 0}),
    make_window_case("max_pool2d", "2x2", {2, 6, 8, 16}, {.kernel = 2}),
    make_window_case("max_pool2d", "3x3 stride 2 padding 1, odd image", {2, 7, 9, 5},
                     {.kernel = 3, .stride = 2, .padding = 1}),
    make_window_case("max_pool2d", "overlapping 4x3", {1, 9, 8, 3},
                     {.kernel = {4, 3}, .stride = 1, .padding = {2, 0}}),
    make_window_case("max_pool2d", "windows with gaps", {2, 8, 11, 3}, {.kernel = 2, .stride = 3}),
    make_window_case("max_pool2d", "more than one chunk", {3, 41, 37, 19},
                     {.kernel = 3, .stride = 1, .padding = 1}),
    make_window_case("max_pool2d", "no images", {0, 4, 4, 3}, {.kernel = 2}),
    make_window_case("avg_pool2d", "2x2", {2, 6, 8, 16}, {.kernel = 2}),
    make_window_case("avg_pool2d", "3x3 stride 2 padding 1, odd image", {2, 7, 9, 5},
                     {.kernel = 3, .stride = 2, .padding = 1}),
    make_window_case("avg_pool2d", "3x3 without counting the padding", {2, 7, 6, 5},
                     {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}),
    make_window_case("avg_pool2d", "overlapping 4x3", {1, 9, 8, 3},
                     {.kernel = {4, 3}, .stride = {1, 2}, .padding = {2, 1}}),
    make_window_case("avg_pool2d", "windows with gaps", {2, 8, 11, 3}, {.kernel = 2, .stride = 3}),
    make_window_case("avg_pool2d", "no channels", {2, 4, 4, 0}, {.kernel = 2}),
    make_adaptive_case("windows of equal size", {2, 6, 9, 16}, {3, 3}),
    make_adaptive_case("windows that overlap", {2, 7, 5, 3}, {3, 4}),
    make_adaptive_case("more outputs than inputs", {1, 3, 2, 5}, {7, 5}),
    make_adaptive_case("one window", {2, 5, 7, 3}, 1),
    make_adaptive_case("no images", {0, 5, 7, 3}, 2),
};

}  // namespace
}  // namespace diagrad::testing
