#include "diagrad/ops/cpu/conv/direct_products.h"

#include <algorithm>
#include <utility>

#include "diagrad/ops/cpu/conv/direct_conv.h"
#include "diagrad/ops/cpu/gemm/pack.h"

namespace diagrad::kernels {
namespace {

DirectConv forward_direct_conv(const ConvGeometry& g) {
  WindowSet windows;
  windows.grid = g.output;
  for (int64_t r = 0; r < g.kernel.h; ++r) {
    windows.row_taps.push_back({r * g.dilation.h - g.padding.h, r});
  }
  for (int64_t s = 0; s < g.kernel.w; ++s) {
    windows.column_taps.push_back({s * g.dilation.w - g.padding.w, s});
  }
  DirectConv c;
  c.batch = g.batch;
  c.channelwise = g.is_depthwise();
  c.groups = c.channelwise ? 1 : g.groups;
  c.source_channels = g.in_channels;
  c.result_channels = g.out_channels;
  c.source = g.input;
  c.result = g.output;
  c.source_step = g.stride;
  c.sets.push_back(std::move(windows));
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

/// One window set per pixel position modulo the stride: every other tap falls between outputs.
DirectConv gradient_direct_conv(const ConvGeometry& g) {
  DirectConv c;
  c.batch = g.batch;
  c.channelwise = g.is_depthwise();
  c.groups = c.channelwise ? 1 : g.groups;
  c.source_channels = g.out_channels;
  c.result_channels = g.in_channels;
  c.source = g.output;
  c.result = g.input;
  c.result_step = g.stride;
  for (int64_t row = 0; row < std::min(g.stride.h, g.input.h); ++row) {
    for (int64_t column = 0; column < std::min(g.stride.w, g.input.w); ++column) {
      WindowSet windows;
      windows.first = {row, column};
      windows.grid = {(g.input.h - row + g.stride.h - 1) / g.stride.h,
                      (g.input.w - column + g.stride.w - 1) / g.stride.w};
      windows.row_taps = gradient_taps(g.kernel.h, g.stride.h, g.padding.h, g.dilation.h, row);
      windows.column_taps =
          gradient_taps(g.kernel.w, g.stride.w, g.padding.w, g.dilation.w, column);
      c.sets.push_back(std::move(windows));
    }
  }
  return c;
}

/// The weights [C,taps] of the taps of `set` for the channels of a panel, a row per tap.
template <typename T>
void pack_channelwise(const ConvGeometry& g, const WindowSet& set, const PanelSplit<T>& split,
                      int64_t panel, const T* w, T* packed) {
  const int64_t width = split.vectors(panel) * kLanes<T>;
  w += split.first_column(panel) * g.taps();
  for (const Tap& r : set.row_taps) {
    for (const Tap& s : set.column_taps) {
      std::fill(packed, packed + width, T(0));
      for (int64_t channel = 0; channel < split.columns(panel); ++channel) {
        packed[channel] = w[channel * g.taps() + r.index * g.kernel.w + s.index];
      }
      packed += width;
    }
  }
}

}  // namespace

template <typename T>
void direct_convolve(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const int64_t inner = g.taps() * g.group_inputs();
  direct_conv<T>(
      forward_direct_conv(g),
      [&](const WindowSet& /*all taps*/, int64_t group, const PanelSplit<T>& split, int64_t panel,
          T* packed) {
        pack_panel_from_columns<T>(split, panel, inner, w + group * g.group_outputs() * inner,
                                   inner, packed);
      },
      x, bias, y);
}

template <typename T>
void direct_input_gradient(const ConvGeometry& g, const T* dy, const T* w, T* dx, bool accumulate) {
  const int64_t channels = g.group_inputs();
  const int64_t outputs = g.group_outputs();
  DirectConv conv = gradient_direct_conv(g);
  conv.accumulate = accumulate;
  direct_conv<T>(
      conv,
      [&](const WindowSet& set, int64_t group, const PanelSplit<T>& split, int64_t panel,
          T* packed) {
        if (g.is_depthwise()) return pack_channelwise(g, set, split, panel, w, packed);
        const T* weights = w + group * outputs * g.taps() * channels;
        const auto row_of = [&](int64_t k) {
          const auto tap = static_cast<size_t>(k / outputs);
          const Tap& r = set.row_taps[tap / set.column_taps.size()];
          const Tap& s = set.column_taps[tap % set.column_taps.size()];
          return weights + (k % outputs * g.taps() + r.index * g.kernel.w + s.index) * channels;
        };
        pack_panel_from_rows<T>(split, panel, set.taps() * outputs, row_of, packed);
      },
      dy, nullptr, dx);
}

template void direct_convolve<float>(const ConvGeometry&, const float*, const float*, const float*,
                                     float*);
template void direct_convolve<double>(const ConvGeometry&, const double*, const double*,
                                      const double*, double*);
template void direct_input_gradient<float>(const ConvGeometry&, const float*, const float*, float*,
                                           bool);
template void direct_input_gradient<double>(const ConvGeometry&, const double*, const double*,
                                            double*, bool);

}  // namespace diagrad::kernels
