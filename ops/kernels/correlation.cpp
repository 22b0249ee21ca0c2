#include "diagrad/ops/kernels/correlation.h"

#include <array>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/kernels/image_band.h"
#include "diagrad/ops/kernels/scratch.h"

namespace diagrad::kernels {
namespace {

/// The windows as seen from the first source element of a band.
struct Windows {
  std::vector<int64_t> offsets;  ///< of each run from the window's origin
  int64_t length = 0;            ///< of a run
};

bool adjacent(const std::vector<Tap>& taps) {
  for (size_t i = 1; i < taps.size(); ++i) {
    if (taps[i].offset != taps[i - 1].offset + 1) return false;
  }
  return true;
}

/// Neighbouring column taps of all channels are one run; with groups or gaps each tap is a run.
Windows make_windows(const Correlation& c, int64_t row_stride) {
  Windows windows;
  if (c.row_taps.empty() || c.column_taps.empty()) return windows;
  const bool merged = c.groups == 1 && adjacent(c.column_taps);
  const size_t runs = merged ? 1 : c.column_taps.size();
  windows.length = c.inner_size() / static_cast<int64_t>(c.row_taps.size() * runs);
  for (const Tap& row : c.row_taps) {
    for (size_t s = 0; s < runs; ++s) {
      windows.offsets.push_back((row.offset - c.row_taps.front().offset) * row_stride +
                                (c.column_taps[s].offset - c.column_taps.front().offset) *
                                    c.source_channels);
    }
  }
  return windows;
}

/// The source rectangle behind grid rows [first, last).
ImageBand source_band(const Correlation& c, int64_t first, int64_t last) {
  if (c.row_taps.empty() || c.column_taps.empty()) return {};
  const int64_t reach_h = c.row_taps.back().offset - c.row_taps.front().offset + 1;
  const int64_t reach_w = c.column_taps.back().offset - c.column_taps.front().offset + 1;
  return {
      first * c.source_step.h + c.row_taps.front().offset,
      c.column_taps.front().offset,
      {(last - first - 1) * c.source_step.h + reach_h, (c.grid.w - 1) * c.source_step.w + reach_w}};
}

template <typename T>
struct Band {
  const T* source;     ///< the window of the band's first point
  int64_t row_stride;  ///< of the source
  T* result;           ///< the band's first point
  int64_t rows;
};

template <typename T>
struct Weights {
  const T* packed;
  const T* bias;
  PanelSplit<T> split;
  int64_t inner;
};

/// All points of a band, for the channels of one panel of one group.
template <typename T>
void correlate_panel(const Correlation& c, const Windows& windows, const Band<T>& band,
                     const Weights<T>& weights, int64_t panel) {
  const int64_t vectors = weights.split.vectors(panel);
  const int64_t column = weights.split.first_column(panel);
  const EvenSplit blocks(band.rows * c.grid.w, max_row_kernel_rows(vectors));
  const int64_t point_step = c.source_step.w * c.source_channels;
  const int64_t line_step = c.source_step.h * band.row_stride;
  const int64_t result_step = c.result_step.w * c.result_channels;
  const int64_t result_line = c.result_step.h * c.result.w * c.result_channels;
  std::array<const T*, kMaxRows> sources;
  std::array<T*, kMaxRows> targets;
  const RowOperand<T> left{sources.data(), windows.offsets.data(),
                           static_cast<int64_t>(windows.offsets.size()), windows.length};
  const PanelOperand<T> right{weights.packed + column * weights.inner, vectors * kLanes<T>, 0};
  const BlockOutput<T> out{targets.data(), weights.split.columns(panel), T(1),
                           weights.bias == nullptr ? nullptr : weights.bias + column, false};
  int64_t x = 0;
  const T* source = band.source;
  T* target = band.result + column;
  const T* line = source;
  T* target_line = target;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t count = blocks.size(block);
    for (int64_t r = 0; r < count; ++r) {
      sources[static_cast<size_t>(r)] = source;
      targets[static_cast<size_t>(r)] = target;
      source += point_step;
      target += result_step;
      if (++x == c.grid.w) {
        x = 0;
        source = line += line_step;
        target = target_line += result_line;
      }
    }
    row_kernel<T>(count, vectors)(left, right, out);
  }
}

}  // namespace

template <typename T>
void correlate(const Correlation& c, PackWeights<T> pack, const T* source, const T* bias,
               T* result) {
  if (c.batch == 0 || c.grid.h <= 0 || c.grid.w <= 0 || c.result_channels == 0) return;
  const int64_t inner = c.inner_size();
  const int64_t group_inputs = c.source_channels / c.groups;
  const int64_t group_outputs = c.result_channels / c.groups;
  const PanelSplit<T> split(group_outputs);
  const int64_t group_weights = split.padded_columns() * inner;
  const Scratch<T> packed(c.groups * group_weights);
  parallel_for(c.groups * split.count(), std::max<int64_t>(1, 65536 / std::max<int64_t>(1, inner)),
               [&](int64_t first, int64_t last) {
                 for (int64_t i = first; i < last; ++i) {
                   const int64_t group = i / split.count();
                   const int64_t panel = i % split.count();
                   pack(group, split, panel,
                        packed.data() + group * group_weights + split.first_column(panel) * inner);
                 }
               });

  const ImageBand whole = source_band(c, 0, c.grid.h);
  const bool in_place = whole.inside(c.source);
  const int64_t rows_per_band =
      band_rows(c.grid.h, c.source_step.h * whole.size.w * c.source_channels, c.batch);
  const int64_t bands = (c.grid.h + rows_per_band - 1) / rows_per_band;
  const int64_t row_stride = (in_place ? c.source.w : whole.size.w) * c.source_channels;
  const Windows windows = make_windows(c, row_stride);
  const int64_t buffer_rows = source_band(c, 0, rows_per_band).size.h;
  const int64_t work = rows_per_band * c.grid.w * inner * c.result_channels;
  parallel_for(c.batch * bands, std::max<int64_t>(1, (1 << 18) / std::max<int64_t>(1, work)),
               [&](int64_t first, int64_t last) {
                 const Scratch<T> buffer(in_place ? 0 : buffer_rows * row_stride);
                 for (int64_t i = first; i < last; ++i) {
                   const int64_t image = i / bands;
                   const int64_t row = i % bands * rows_per_band;
                   const int64_t rows = std::min(rows_per_band, c.grid.h - row);
                   const ImageBand area = source_band(c, row, row + rows);
                   const T* pixels = source + image * c.source.h * c.source.w * c.source_channels;
                   if (!in_place)
                     copy_band(pixels, c.source, c.source_channels, area, buffer.data());
                   const T* origin = in_place ? pixels + area.first_row * row_stride +
                                                    area.first_column * c.source_channels
                                              : buffer.data();
                   T* target =
                       result + ((image * c.result.h + c.result_first.h + row * c.result_step.h) *
                                     c.result.w +
                                 c.result_first.w) *
                                    c.result_channels;
                   for (int64_t group = 0; group < c.groups; ++group) {
                     const Band<T> band{origin + group * group_inputs, row_stride,
                                        target + group * group_outputs, rows};
                     const Weights<T> weights{
                         packed.data() + group * group_weights,
                         bias == nullptr ? nullptr : bias + group * group_outputs, split, inner};
                     for (int64_t panel = 0; panel < split.count(); ++panel) {
                       correlate_panel(c, windows, band, weights, panel);
                     }
                   }
                 }
               });
}

template void correlate<float>(const Correlation&, PackWeights<float>, const float*, const float*,
                               float*);
template void correlate<double>(const Correlation&, PackWeights<double>, const double*,
                                const double*, double*);

}  // namespace diagrad::kernels
