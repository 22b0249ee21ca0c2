#include "diagrad/ops/kernels/convolution.h"

#include <algorithm>

#include "diagrad/ops/kernels/correlation.h"
#include "diagrad/ops/kernels/gemm.h"
#include "diagrad/ops/kernels/pack.h"
#include "diagrad/ops/kernels/weight_gradient.h"

namespace diagrad::kernels {
namespace {

Correlation forward_correlation(const ConvGeometry& g) {
  Correlation c;
  c.batch = g.batch;
  c.groups = g.groups;
  c.source_channels = g.in_channels;
  c.result_channels = g.out_channels;
  c.source = g.input;
  c.result = c.grid = g.output;
  c.source_step = g.stride;
  for (int64_t r = 0; r < g.kernel.h; ++r) {
    c.row_taps.push_back({r * g.dilation.h - g.padding.h, r});
  }
  for (int64_t s = 0; s < g.kernel.w; ++s) {
    c.column_taps.push_back({s * g.dilation.w - g.padding.w, s});
  }
  return c;
}

/// The taps through which output positions see the input positions first, first + stride, ...
std::vector<Tap> gradient_taps(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                               int64_t first) {
  std::vector<Tap> taps;
  for (int64_t r = kernel - 1; r >= 0; --r) {
    const int64_t position = first + padding - r * dilation;
    if (position % stride == 0) taps.push_back({position / stride, r});
  }
  return taps;
}

/// The input gradient at pixels `first` modulo the stride: every other tap falls between outputs.
Correlation gradient_correlation(const ConvGeometry& g, const Size2& first) {
  Correlation c;
  c.batch = g.batch;
  c.groups = g.groups;
  c.source_channels = g.out_channels;
  c.result_channels = g.in_channels;
  c.source = g.output;
  c.result = g.input;
  c.grid = {(g.input.h - first.h + g.stride.h - 1) / g.stride.h,
            (g.input.w - first.w + g.stride.w - 1) / g.stride.w};
  c.result_step = g.stride;
  c.result_first = first;
  c.row_taps = gradient_taps(g.kernel.h, g.stride.h, g.padding.h, g.dilation.h, first.h);
  c.column_taps = gradient_taps(g.kernel.w, g.stride.w, g.padding.w, g.dilation.w, first.w);
  return c;
}

}  // namespace

template <typename T>
void convolve(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const int64_t inner = g.taps() * g.group_inputs();
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = g.out_pixels();
    product.n = g.out_channels;
    product.k = product.a_stride = product.b_stride = g.in_channels;
    product.a = x;
    product.b = w;
    product.transpose_b = true;
    product.bias = bias;
    product.c = y;
    product.c_stride = g.out_channels;
    return gemm(product);
  }
  correlate<T>(
      forward_correlation(g),
      [&](int64_t group, const PanelSplit<T>& split, int64_t panel, T* packed) {
        pack_panel_from_columns<T>(split, panel, inner, w + group * g.group_outputs() * inner,
                                   inner, packed);
      },
      x, bias, y);
}

template <typename T>
void convolve_input_gradient(const ConvGeometry& g, const T* dy, const T* w, T* dx) {
  const int64_t channels = g.group_inputs();
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = g.out_pixels();
    product.n = product.b_stride = product.c_stride = g.in_channels;
    product.k = product.a_stride = g.out_channels;
    product.a = dy;
    product.b = w;
    product.c = dx;
    return gemm(product);
  }
  for (int64_t row = 0; row < std::min(g.stride.h, g.input.h); ++row) {
    for (int64_t column = 0; column < std::min(g.stride.w, g.input.w); ++column) {
      const Correlation c = gradient_correlation(g, {row, column});
      correlate<T>(
          c,
          [&](int64_t group, const PanelSplit<T>& split, int64_t panel, T* packed) {
            const int64_t outputs = g.group_outputs();
            const T* weights = w + group * outputs * g.taps() * channels;
            const auto columns = static_cast<int64_t>(c.column_taps.size());
            pack_panel_from_rows<T>(
                split, panel, c.inner_size(),
                [&](int64_t k) {
                  const int64_t output = k % outputs;
                  const auto tap = static_cast<size_t>(k / outputs);
                  const Tap& r = c.row_taps[tap / static_cast<size_t>(columns)];
                  const Tap& s = c.column_taps[tap % static_cast<size_t>(columns)];
                  return weights + (output * g.taps() + r.index * g.kernel.w + s.index) * channels;
                },
                packed);
          },
          dy, nullptr, dx);
    }
  }
}

template <typename T>
void convolve_weight_gradient(const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = product.a_stride = g.out_channels;
    product.n = product.b_stride = product.c_stride = g.in_channels;
    product.k = g.out_pixels();
    product.a = dy;
    product.transpose_a = true;
    product.b = x;
    product.c = dw;
    return gemm(product);
  }
  direct_weight_gradient(g, x, dy, dw);
}

template void convolve<float>(const ConvGeometry&, const float*, const float*, const float*,
                              float*);
template void convolve<double>(const ConvGeometry&, const double*, const double*, const double*,
                               double*);
template void convolve_input_gradient<float>(const ConvGeometry&, const float*, const float*,
                                             float*);
template void convolve_input_gradient<double>(const ConvGeometry&, const double*, const double*,
                                              double*);
template void convolve_weight_gradient<float>(const ConvGeometry&, const float*, const float*,
                                              float*);
template void convolve_weight_gradient<double>(const ConvGeometry&, const double*, const double*,
                                               double*);

}  // namespace diagrad::kernels
