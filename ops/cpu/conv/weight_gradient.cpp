#include "diagrad/ops/cpu/conv/weight_gradient.h"

#include <algorithm>
#include <array>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/conv/channelwise.h"
#include "diagrad/ops/cpu/conv/image_band.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Bytes that all partial sums together may take.
constexpr int64_t kPartialBytes = int64_t{32} << 20;
constexpr int64_t kMaxChunks = 16;
/// Multiply-adds that make a chunk worth its partial sum.
constexpr int64_t kChunkWork = int64_t{1} << 20;

template <typename T>
struct Band {
  const T* x;          ///< the window of the band's first output pixel
  int64_t row_stride;  ///< of x
  const T* dy;         ///< the band's first output pixel
  int64_t rows;
  bool first;              ///< of its partial sum: overwrites
  NextBand<T> ahead = {};  ///< of x
};

/// Runs of taps that are contiguous in x: a kernel row, or a tap where groups or dilation part it.
struct Runs {
  explicit Runs(const ConvGeometry& g)
      : merged(g.groups == 1 && (g.dilation.w == 1 || g.kernel.w == 1)),
        per_row(merged ? 1 : g.kernel.w),
        length(merged ? g.kernel.w * g.in_channels : g.group_inputs()) {}
  bool merged;
  int64_t per_row;
  int64_t length;
};

/// Adds what a band contributes to the weights of one group and one run.
template <typename T>
void add_run(const ConvGeometry& g, Band<T>& band, int64_t group, int64_t run_index,
             const Runs& runs, T* dw) {
  const int64_t r = run_index / runs.per_row;
  const int64_t s = run_index % runs.per_row;
  const int64_t weights_per_output = g.taps() * g.group_inputs();
  const T* x = band.x + r * g.dilation.h * band.row_stride + s * g.dilation.w * g.in_channels +
               group * g.group_inputs();
  const PanelSplit<T> split(runs.length);
  for (int64_t panel = 0; panel < split.count(); ++panel) {
    const int64_t vectors = split.vectors(panel);
    const int64_t column = split.first_column(panel);
    PanelOperand<T> right{x + column, g.stride.w * g.in_channels, g.stride.h * band.row_stride};
    const EvenSplit blocks(g.group_outputs(), max_column_kernel_rows(vectors));
    for (int64_t block = 0; block < blocks.count; ++block) {
      const int64_t output = group * g.group_outputs() + blocks.first(block);
      const ColumnOperand<T> left{band.dy + output, g.out_channels, g.output.w * g.out_channels,
                                  band.rows, g.output.w};
      std::array<T*, kAccumulators> targets;
      for (int64_t i = 0; i < blocks.size(block); ++i) {
        targets[static_cast<size_t>(i)] =
            dw + (output + i) * weights_per_output + run_index * runs.length + column;
      }
      BlockOutput<T> out{targets.data(), split.columns(panel)};
      out.accumulate = !band.first;
      band.ahead.prefetch(right);
      column_kernel<T>(blocks.size(block), vectors, Prefetch::kNext)(left, right, out);
    }
  }
}

/// How many products add_run takes for all runs of all groups.
template <typename T>
int64_t products(const ConvGeometry& g, const Runs& runs) {
  const PanelSplit<T> split(runs.length);
  int64_t count = 0;
  for (int64_t panel = 0; panel < split.count(); ++panel) {
    count += EvenSplit(g.group_outputs(), max_column_kernel_rows(split.vectors(panel))).count;
  }
  return g.groups * g.kernel.h * runs.per_row * count;
}

/// Whether vectors are better filled with output channels than with a run of taps: for the first
/// layer of a net, whose images have few channels.
template <typename T>
bool prefers_outputs(const ConvGeometry& g, const Runs& runs) {
  const auto padded = [](int64_t count) { return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>; };
  return g.groups == 1 &&
         runs.length * padded(g.out_channels) < g.out_channels * padded(runs.length);
}

/// As add_run, for one group, with a row of outputs per tap and input channel: dw is [taps, C, O].
template <typename T>
void add_run_by_outputs(const ConvGeometry& g, const Band<T>& band, int64_t run_index,
                        const Runs& runs, T* dw) {
  const int64_t r = run_index / runs.per_row;
  const int64_t s = run_index % runs.per_row;
  const T* const x = band.x + r * g.dilation.h * band.row_stride + s * g.dilation.w * g.in_channels;
  const PanelSplit<T> split(g.out_channels);
  for (int64_t panel = 0; panel < split.count(); ++panel) {
    const int64_t vectors = split.vectors(panel);
    const int64_t column = split.first_column(panel);
    const PanelOperand<T> right{band.dy + column, g.out_channels, g.output.w * g.out_channels};
    const EvenSplit blocks(runs.length, max_column_kernel_rows(vectors));
    for (int64_t block = 0; block < blocks.count; ++block) {
      const int64_t first = blocks.first(block);
      const ColumnOperand<T> left{x + first, g.stride.w * g.in_channels,
                                  g.stride.h * band.row_stride, band.rows, g.output.w};
      std::array<T*, kAccumulators> targets;
      for (int64_t i = 0; i < blocks.size(block); ++i) {
        targets[static_cast<size_t>(i)] =
            dw + (run_index * runs.length + first + i) * g.out_channels + column;
      }
      BlockOutput<T> out{targets.data(), split.columns(panel)};
      out.accumulate = !band.first;
      column_kernel<T>(blocks.size(block), vectors)(left, right, out);
    }
  }
}

/// sum[i] = partial[0][i] + partial[1][i] + ...
template <typename T>
void add_partial_sums(const T* partial, int64_t chunks, int64_t size, T* sum) {
  parallel_for(size, 16384, [&](int64_t first, int64_t last) {
    std::copy(partial + first, partial + last, sum + first);
    for (int64_t chunk = 1; chunk < chunks; ++chunk) {
      const T* source = partial + chunk * size;
      for (int64_t i = first; i < last; ++i) sum[i] += source[i];
    }
  });
}

/// Walks over all bands of all images in chunks; `add(band, sum)` adds a band's contribution to the
/// chunk's sum of `size` elements, in `products` products that ask for what the next band reads (0:
/// they do not). x and dy are read in place where vectors that are cut off by the
/// end of a run (`tail_x`, `tail_dy`) cannot leave the tensor, else from padded copies.
template <typename T, typename Add>
void sum_over_bands(const ConvGeometry& g, const T* x, bool tail_x, const T* dy, bool tail_dy,
                    int64_t size, int64_t products, T* result, const Add& add) {
  if (g.out_pixels() == 0) return std::fill(result, result + size, T(0));
  const Reach reach{-g.padding.h, -g.padding.w, (g.kernel.h - 1) * g.dilation.h - g.padding.h,
                    (g.kernel.w - 1) * g.dilation.w - g.padding.w};
  const BandLayout layout(g.input, g.in_channels, g.batch, reach, g.stride, g.output, !tail_x);
  const int64_t dy_row = g.output.w * g.out_channels;

  const int64_t items = g.batch * layout.bands();
  const int64_t fitting =
      std::max<int64_t>(kPartialBytes / (size * static_cast<int64_t>(sizeof(T))), 2);
  const int64_t worthwhile = g.out_pixels() * size / kChunkWork + 1;
  const int64_t wanted = std::min({kMaxChunks, fitting, worthwhile, items});
  const ChunkPlan plan(items, (items + wanted - 1) / wanted);
  const Scratch<T> partial(plan.count > 1 ? plan.count * size : 0);
  parallel_for_chunks(plan, items, [&](int64_t chunk, int64_t first, int64_t last) {
    const Scratch<T> x_buffer(layout.buffer_size(kLanes<T>));
    const Scratch<T> dy_buffer(tail_dy ? layout.rows_per_band() * dy_row + kLanes<T> : 0);
    T* const sum = plan.count > 1 ? partial.data() + chunk * size : result;
    for (int64_t i = first; i < last; ++i) {
      const int64_t image = i / layout.bands();
      const int64_t index = i % layout.bands();
      const int64_t row = layout.first_row(index);
      const int64_t rows = layout.last_row(index) - row;
      const T* pixels = x + image * g.input.h * g.input.w * g.in_channels;
      Band<T> band{layout.open(pixels, index, x_buffer.data()), layout.row_stride(),
                   dy + (image * g.output.h + row) * dy_row, rows, i == first};
      if (products > 0 && i + 1 < last) {
        band.ahead =
            NextBand<T>(x + (i + 1) / layout.bands() * g.input.h * g.input.w * g.in_channels,
                        layout.part((i + 1) % layout.bands()), products);
      }
      if (tail_dy) {
        std::copy(band.dy, band.dy + rows * dy_row, dy_buffer.data());
        band.dy = dy_buffer.data();
      }
      add(band, sum);
    }
  });
  if (plan.count > 1) add_partial_sums(partial.data(), plan.count, size, result);
}

/// Adds what a band contributes to the weights [taps, C].
template <typename T>
void add_depthwise(const ConvGeometry& g, const Band<T>& band, T* sum) {
  const PanelSplit<T> split(g.in_channels);
  const EvenSplit blocks(g.taps(), kMaxRows);
  for (int64_t panel = 0; panel < split.count(); ++panel) {
    const int64_t channel = split.first_column(panel);
    for (int64_t block = 0; block < blocks.count; ++block) {
      std::array<const T*, kMaxRows> sources;
      std::array<T*, kMaxRows> targets;
      for (int64_t i = 0; i < blocks.size(block); ++i) {
        const int64_t tap = blocks.first(block) + i;
        sources[static_cast<size_t>(i)] = band.x +
                                          tap / g.kernel.w * g.dilation.h * band.row_stride +
                                          tap % g.kernel.w * g.dilation.w * g.in_channels + channel;
        targets[static_cast<size_t>(i)] = sum + tap * g.in_channels + channel;
      }
      BlockOutput<T> out{targets.data(), split.columns(panel)};
      out.accumulate = !band.first;
      tap_kernel<T>(blocks.size(block), split.vectors(panel))(
          {sources.data(), g.stride.w * g.in_channels, g.stride.h * band.row_stride, band.rows,
           g.output.w},
          {band.dy + channel, g.in_channels, g.output.w * g.in_channels}, out);
    }
  }
}

template <typename T>
void weight_gradient_by_outputs(const ConvGeometry& g, const Runs& runs, const T* x, const T* dy,
                                T* dw) {
  const int64_t weights = g.taps() * g.in_channels;
  const Scratch<T> by_weight(weights * g.out_channels);
  const bool tail = g.out_channels % kLanes<T> != 0;
  sum_over_bands(g, x, false, dy, tail, weights * g.out_channels, 0, by_weight.data(),
                 [&](const Band<T>& band, T* sum) {
                   for (int64_t run = 0; run < g.kernel.h * runs.per_row; ++run) {
                     add_run_by_outputs(g, band, run, runs, sum);
                   }
                 });
  for (int64_t output = 0; output < g.out_channels; ++output) {
    for (int64_t i = 0; i < weights; ++i) {
      dw[output * weights + i] = by_weight.data()[i * g.out_channels + output];
    }
  }
}

}  // namespace

template <typename T>
void direct_weight_gradient(const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  const int64_t size = g.out_channels * g.taps() * g.group_inputs();
  if (size == 0) return;
  const Runs runs(g);
  if (prefers_outputs<T>(g, runs)) return weight_gradient_by_outputs(g, runs, x, dy, dw);
  sum_over_bands(g, x, runs.length % kLanes<T> != 0, dy, false, size, products<T>(g, runs), dw,
                 [&](Band<T>& band, T* sum) {
                   for (int64_t group = 0; group < g.groups; ++group) {
                     for (int64_t run = 0; run < g.kernel.h * runs.per_row; ++run) {
                       add_run(g, band, group, run, runs, sum);
                     }
                   }
                 });
}

template <typename T>
void depthwise_weight_gradient(const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  const int64_t size = g.taps() * g.in_channels;
  const Scratch<T> by_tap(size);
  const bool tail = g.in_channels % kLanes<T> != 0;
  sum_over_bands(g, x, tail, dy, tail, size, 0, by_tap.data(),
                 [&](const Band<T>& band, T* sum) { add_depthwise(g, band, sum); });
  for (int64_t channel = 0; channel < g.in_channels; ++channel) {
    for (int64_t tap = 0; tap < g.taps(); ++tap) {
      dw[channel * g.taps() + tap] = by_tap.data()[tap * g.in_channels + channel];
    }
  }
}

template void direct_weight_gradient<float>(const ConvGeometry&, const float*, const float*,
                                            float*);
template void direct_weight_gradient<double>(const ConvGeometry&, const double*, const double*,
                                             double*);
template void depthwise_weight_gradient<float>(const ConvGeometry&, const float*, const float*,
                                               float*);
template void depthwise_weight_gradient<double>(const ConvGeometry&, const double*, const double*,
                                                double*);

}  // namespace diagrad::kernels
