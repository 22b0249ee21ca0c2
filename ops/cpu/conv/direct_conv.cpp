#include "diagrad/ops/cpu/conv/direct_conv.h"

#include <algorithm>
#include <array>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/conv/channelwise.h"
#include "diagrad/ops/cpu/conv/image_band.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Multiply-adds that make a chunk of bands worth a thread.
constexpr int64_t kChunkWork = int64_t{1} << 18;
constexpr int64_t kWantedChunks = 32;
/// Shorter sums end before they could ask for what the next band reads.
constexpr int64_t kAskingLength = 128;

/// A window set with everything that does not change from band to band.
template <typename T>
struct Plan {
  const WindowSet* set;
  std::vector<int64_t> offsets;  ///< of each run of a window, from the origin of the band's buffer
  int64_t length = 0;            ///< of a run
  int64_t inner = 0;
  T* weights = nullptr;  ///< groups x panels

  bool is_long() const { return inner >= kAskingLength; }
  T* panel(const PanelSplit<T>& split, int64_t group, int64_t index) const {
    return weights + (group * split.padded_columns() + split.first_column(index)) * inner;
  }
};

/// Of all windows together.
Reach reach_of(const DirectConv& c) {
  Reach reach;
  bool any = false;
  for (const WindowSet& set : c.sets) {
    if (set.taps() == 0) continue;
    const Reach own{set.row_taps.front().offset, set.column_taps.front().offset,
                    set.row_taps.back().offset, set.column_taps.back().offset};
    if (!any) reach = own;
    any = true;
    reach = {std::min(reach.top, own.top), std::min(reach.left, own.left),
             std::max(reach.bottom, own.bottom), std::max(reach.right, own.right)};
  }
  return reach;
}

bool adjacent(const std::vector<Tap>& taps) {
  for (size_t i = 1; i < taps.size(); ++i) {
    if (taps[i].offset != taps[i - 1].offset + 1) return false;
  }
  return true;
}

/// Neighbouring column taps of all channels are one run; with groups or gaps each tap is a run.
template <typename T>
Plan<T> make_plan(const DirectConv& c, const WindowSet& set, const Reach& reach,
                  int64_t row_stride) {
  Plan<T> plan{&set, {}, 0, c.inner_size(set)};
  if (set.taps() == 0) return plan;
  const bool merged = c.groups == 1 && !c.channelwise && adjacent(set.column_taps);
  const size_t runs = merged ? 1 : set.column_taps.size();
  plan.length = plan.inner / static_cast<int64_t>(set.row_taps.size() * runs);
  for (const Tap& row : set.row_taps) {
    for (size_t s = 0; s < runs; ++s) {
      plan.offsets.push_back((row.offset - reach.top) * row_stride +
                             (set.column_taps[s].offset - reach.left) * c.source_channels);
    }
  }
  return plan;
}

template <typename T>
struct Band {
  const T* source;     ///< where the windows of the band's first point begin
  int64_t row_stride;  ///< of the source
  T* image;            ///< the result image
  int64_t first_row;   ///< of the grid
  int64_t last_row;
  NextBand<T> ahead = {};
};

/// All points of a band, for the channels of one panel of one group.
template <typename T>
void direct_conv_panel(const DirectConv& c, const Plan<T>& plan, const PanelSplit<T>& split,
                       Band<T>& band, int64_t group, int64_t panel, const T* bias) {
  const WindowSet& set = *plan.set;
  const int64_t rows = std::min(band.last_row, set.grid.h) - band.first_row;
  const int64_t vectors = split.vectors(panel);
  const int64_t channel = group * (c.result_channels / c.groups) + split.first_column(panel);
  const int64_t source_step = c.source_step.w * c.source_channels;
  const int64_t source_line = c.source_step.h * band.row_stride;
  const int64_t result_step = c.result_step.w * c.result_channels;
  const int64_t result_line = c.result_step.h * c.result.w * c.result_channels;
  std::array<const T*, kMaxRows> sources;
  std::array<T*, kMaxRows> targets;
  const RowOperand<T> left{sources.data(), plan.offsets.data(),
                           static_cast<int64_t>(plan.offsets.size()), plan.length};
  PanelOperand<T> right{plan.panel(split, group, panel), vectors * kLanes<T>, 0};
  const BlockOutput<T> out{targets.data(), split.columns(panel), T(1),
                           bias == nullptr ? nullptr : bias + channel, c.accumulate};

  const int64_t source_channel = c.channelwise ? channel : group * (c.source_channels / c.groups);
  const T* source = band.source + source_channel;
  T* target = band.image + channel +
              ((set.first.h + band.first_row * c.result_step.h) * c.result.w + set.first.w) *
                  c.result_channels;
  const T* line = source;
  T* target_line = target;
  int64_t column = 0;
  const EvenSplit blocks(std::max<int64_t>(rows, 0) * set.grid.w, max_row_kernel_rows(vectors));
  const Prefetch prefetch = plan.is_long() ? Prefetch::kNext : Prefetch::kResult;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t count = blocks.size(block);
    for (int64_t r = 0; r < count; ++r) {
      sources[static_cast<size_t>(r)] = source;
      targets[static_cast<size_t>(r)] = target;
      source += source_step;
      target += result_step;
      if (++column == set.grid.w) {
        column = 0;
        source = line += source_line;
        target = target_line += result_line;
      }
    }
    if (prefetch == Prefetch::kNext) band.ahead.prefetch(right);
    (c.channelwise ? channelwise_kernel<T>(count, vectors)
                   : row_kernel<T>(count, vectors, prefetch))(left, right, out);
  }
}

/// Packs the weights of all sets one after the other into `packed`.
template <typename T>
void pack_all(const DirectConv& c, const PanelSplit<T>& split, std::vector<Plan<T>>& plans,
              PackWeights<T> pack, T* packed) {
  int64_t total = 0;
  for (Plan<T>& plan : plans) {
    plan.weights = packed + total;
    total += c.groups * split.padded_columns() * plan.inner;
  }
  const int64_t panels = c.groups * split.count();
  const auto count = static_cast<int64_t>(plans.size()) * panels;
  const int64_t grain = count * 65536 / std::max<int64_t>(total, 1) + 1;
  parallel_for(count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const Plan<T>& plan = plans[static_cast<size_t>(i / panels)];
      const int64_t group = i % panels / split.count();
      const int64_t panel = i % split.count();
      pack(*plan.set, group, split, panel, plan.panel(split, group, panel));
    }
  });
}

/// Everything behind one band of one image.
template <typename T>
void direct_conv_band(const DirectConv& c, const std::vector<Plan<T>>& plans,
                      const PanelSplit<T>& split, Band<T> band, const T* bias) {
  for (const Plan<T>& plan : plans) {
    for (int64_t group = 0; group < c.groups; ++group) {
      for (int64_t panel = 0; panel < split.count(); ++panel) {
        direct_conv_panel(c, plan, split, band, group, panel, bias);
      }
    }
  }
}

}  // namespace

template <typename T>
void direct_conv(const DirectConv& c, PackWeights<T> pack, const T* source, const T* bias,
                 T* result) {
  Size2 grid = 0;
  int64_t inner = 0;
  for (const WindowSet& set : c.sets) {
    grid = {std::max(grid.h, set.grid.h), std::max(grid.w, set.grid.w)};
    inner += c.inner_size(set);
  }
  if (c.batch == 0 || grid.h <= 0 || grid.w <= 0 || c.result_channels == 0) return;

  // The last vector of channels may read past them: fine in a buffer with room, not in the tensor.
  const bool overruns = c.channelwise && c.source_channels % kLanes<T> != 0;
  const Reach reach = reach_of(c);
  const BandLayout layout(c.source, c.source_channels, c.batch, reach, c.source_step, grid,
                          !overruns);
  const PanelSplit<T> split(c.result_channels / c.groups);
  std::vector<Plan<T>> plans;
  for (const WindowSet& set : c.sets) {
    plans.push_back(make_plan<T>(c, set, reach, layout.row_stride()));
  }
  const Scratch<T> packed(c.groups * split.padded_columns() * inner);
  pack_all(c, split, plans, pack, packed.data());

  // Blocks of long sums in a band.
  const int64_t blocks = c.groups * split.count() *
                         ((layout.rows_per_band() * grid.w + kMaxRows - 1) / kMaxRows) *
                         std::ranges::count_if(plans, &Plan<T>::is_long);
  const int64_t work = layout.rows_per_band() * grid.w * inner * c.result_channels;
  const int64_t bands = c.batch * layout.bands();
  // Chunks of several bands where there are many: then the same thread goes on with the next one.
  const int64_t grain =
      std::max(kChunkWork / std::max<int64_t>(work, 1) + 1, bands / kWantedChunks);
  parallel_for(bands, grain, [&](int64_t first, int64_t last) {
    const Scratch<T> buffer(layout.buffer_size(kLanes<T>));
    for (int64_t i = first; i < last; ++i) {
      const auto image_of = [&](int64_t band) {
        return source + band / layout.bands() * c.source.h * c.source.w * c.source_channels;
      };
      const int64_t index = i % layout.bands();
      Band<T> band{layout.open(image_of(i), index, buffer.data()), layout.row_stride(),
                   result + i / layout.bands() * c.result.h * c.result.w * c.result_channels,
                   layout.first_row(index), layout.last_row(index)};
      if (blocks > 0 && i + 1 < bands) {
        band.ahead = NextBand<T>(image_of(i + 1), layout.part((i + 1) % layout.bands()), blocks);
      }
      direct_conv_band(c, plans, split, band, bias);
    }
  });
}

template void direct_conv<float>(const DirectConv&, PackWeights<float>, const float*, const float*,
                                 float*);
template void direct_conv<double>(const DirectConv&, PackWeights<double>, const double*,
                                  const double*, double*);

}  // namespace diagrad::kernels
