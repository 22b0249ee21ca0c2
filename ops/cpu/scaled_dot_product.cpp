#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/attention_block.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/scaled_dot_product_kernels.h"

namespace diagrad {
namespace {

using kernels::EvenSplit;
using kernels::HeadRows;
using kernels::HeadScores;
using kernels::kPanelLanes;
using kernels::PanelSplit;
using kernels::QueryPanel;
using kernels::Range;
using kernels::RowView;
using kernels::Scratch;

/// Panels of queries that meet a block of values while it is packed.
constexpr int64_t kGroupPanels = 6;

/// The forward pass of some panels of one head, with the memory for it.
template <typename T>
class ForwardGroup {
 public:
  explicit ForwardGroup(const AttentionForward& pass)
      : pass_(pass),
        scores_(pass.scores),
        v_(pass.v),
        y_(pass.y),
        log_sum_(pass.log_sum.defined() ? pass.log_sum.data<T>() : nullptr),
        width_(pass.v.size(3)),
        padded_(kernels::whole_vectors<T>(width_)),
        key_width_(kernels::whole_vectors<T>(scores_.width)),
        blocks_(scores_.keys, kernels::kBlockKeys),
        packed_(lanes() * scores_.width),
        keys_(block_keys() * key_width_),
        values_(block_keys() * padded_),
        weights_(block_keys() * kPanelLanes<T>),
        factors_(drops() ? block_keys() * kPanelLanes<T> : 0),
        sums_(lanes() * padded_),
        largest_(lanes()),
        total_(lanes()) {}

  void run(int64_t head, const PanelSplit<T>& panels, Range group) {
    scores_.select(head);
    const RowView<const T> values = v_.at(head);
    first_ = panels.first_column(group.first);
    for (int64_t j = group.first; j < group.last; ++j) begin(kernels::panel_of(panels, j));
    const int64_t end = scores_.keys_of(kernels::panel_of(panels, group.last - 1));
    for (int64_t block = 0; block < blocks_.count && blocks_.first(block) < end; ++block) {
      const Range keys{blocks_.first(block), blocks_.first(block) + blocks_.size(block)};
      kernels::pack_rows<T>(scores_.k, keys, scores_.width, keys_.data());
      kernels::pack_rows<T>(values, keys, width_, values_.data());
      for (int64_t j = group.first; j < group.last; ++j) {
        const QueryPanel panel = kernels::panel_of(panels, j);
        const Range own{keys.first, std::min(keys.last, scores_.keys_of(panel))};
        if (own.first < own.last) add_block(head, panel, own);
      }
    }
    for (int64_t j = group.first; j < group.last; ++j) finish(head, kernels::panel_of(panels, j));
  }

 private:
  int64_t lanes() const {
    return std::min(kGroupPanels * kPanelLanes<T>, kernels::whole_vectors<T>(scores_.queries));
  }
  int64_t block_keys() const { return std::min(kernels::kBlockKeys, scores_.keys); }
  bool drops() const { return pass_.dropout.threshold > 0; }

  // What belongs to a panel of the group.
  T* packed(const QueryPanel& panel) const {
    return packed_.data() + (panel.first - first_) * scores_.width;
  }
  T* sums(const QueryPanel& panel) const { return sums_.data() + (panel.first - first_) * padded_; }
  T* largest(const QueryPanel& panel) const { return largest_.data() + panel.first - first_; }
  T* total(const QueryPanel& panel) const { return total_.data() + panel.first - first_; }

  void begin(const QueryPanel& panel) {
    scores_.pack_queries(scores_.q, {panel.first, panel.first + panel.count}, packed(panel));
    std::fill_n(largest(panel), panel.width, -std::numeric_limits<T>::infinity());
    std::fill_n(total(panel), panel.width, T(0));
    if (scores_.keys == 0) std::fill_n(sums(panel), panel.count * padded_, T(0));
  }

  void add_block(int64_t head, const QueryPanel& panel, Range keys) {
    T* const weights = weights_.data();
    const int64_t count = keys.last - keys.first;
    T correction[kPanelLanes<T>];
    scores_.compute(panel, packed(panel), keys, {keys_.data(), key_width_}, weights);
    kernels::update_softmax<T>(count, panel.width, weights, largest(panel), total(panel),
                               correction);
    if (drops()) {
      kernels::dropout_factors<T>(pass_.dropout,
                                  static_cast<uint64_t>(head * scores_.queries * scores_.keys),
                                  scores_.keys, panel, keys, factors_.data());
      kernels::multiply_elements<T>(count * panel.width, factors_.data(), weights);
    }
    if (keys.first > 0) {
      for (int64_t lane = 0; lane < panel.count; ++lane) {
        T* const sum = sums(panel) + lane * padded_;
        for (int64_t c = 0; c < padded_; ++c) sum[c] *= correction[lane];
      }
    }
    kernels::multiply_transposed<T>({.rows = panel.count,
                                     .inner = count,
                                     .a = weights,
                                     .a_stride = panel.width,
                                     .b = values_.data(),
                                     .b_stride = padded_,
                                     .c = sums(panel),
                                     .c_stride = padded_,
                                     .vectors = padded_ / kLanes<T>,
                                     .accumulate = keys.first > 0});
  }

  /// Divides by the sum of the powers; of a query that attends to no key both are 0.
  void finish(int64_t head, const QueryPanel& panel) {
    const RowView<T> y = y_.at(head);
    const T* const powers = total(panel);
    T inverse[kPanelLanes<T>];
    for (int64_t lane = 0; lane < panel.width; ++lane) {
      inverse[lane] = powers[lane] == T(0) ? T(0) : T(1) / powers[lane];
    }
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      const T* __restrict sum = sums(panel) + lane * padded_;
      T* __restrict to = y.row(panel.first + lane);
      for (int64_t c = 0; c < width_; ++c) to[c] = sum[c] * inverse[lane];
    }
    if (log_sum_ == nullptr) return;
    map_math(
        panel.count, [](MathVec<T> sum, MathVec<T> top) { return top + log_of(sum); },
        log_sum_ + head * scores_.queries + panel.first, powers, largest(panel));
  }

  const AttentionForward& pass_;
  HeadScores<T> scores_;
  const HeadRows<const T> v_;
  const HeadRows<T> y_;
  T* const log_sum_;
  const int64_t width_, padded_, key_width_;
  const EvenSplit blocks_;
  int64_t first_ = 0;  ///< query of the group
  const Scratch<T> packed_, keys_, values_, weights_, factors_, sums_, largest_, total_;
};

template <typename T>
void forward(const AttentionForward& pass) {
  const int64_t queries = pass.scores.q.size(2);
  const int64_t heads = pass.scores.q.size(0) * pass.scores.q.size(1);
  const PanelSplit<T> panels(queries);
  const EvenSplit groups(panels.count(), kGroupPanels);
  const int64_t work = kGroupPanels * kPanelLanes<T> * (pass.scores.k.size(2) + 1) *
                       (pass.scores.q.size(3) + pass.v.size(3));
  parallel_for(heads * groups.count, kernels::kAttentionGrain / work + 1,
               [&](int64_t first, int64_t last) {
                 ForwardGroup<T> group(pass);
                 for (int64_t item = first; item < last; ++item) {
                   const int64_t at = item % groups.count;
                   group.run(item / groups.count, panels,
                             {groups.first(at), groups.first(at) + groups.size(at)});
                 }
               });
}

/// The weights of some rows of one head: the scores twice, for the sums and for the weights.
template <typename T>
void weights_of_rows(const AttentionWeights& pass, int64_t head, Range rows) {
  HeadScores<T> scores(pass.scores);
  scores.select(head);
  const int64_t keys = scores.keys;
  const int64_t count = rows.last - rows.first;
  const QueryPanel panel{0, count, kernels::whole_vectors<T>(count), pass.rows.data() + rows.first};
  const Scratch<T> gathered(count * scores.width);
  const Scratch<T> packed(panel.width * scores.width);
  const Scratch<T> block(std::min(keys, kernels::kBlockKeys) * panel.width);
  for (int64_t lane = 0; lane < count; ++lane) {
    std::copy_n(scores.q.row(panel.query(lane)), scores.width,
                gathered.data() + lane * scores.width);
  }
  scores.pack_queries({gathered.data(), scores.width}, {0, count}, packed.data());
  T largest[kPanelLanes<T>];
  T total[kPanelLanes<T>] = {};
  T correction[kPanelLanes<T>];
  std::fill_n(largest, kPanelLanes<T>, -std::numeric_limits<T>::infinity());
  const EvenSplit blocks(keys, kernels::kBlockKeys);
  const auto for_each_block = [&](const auto& body) {
    for (int64_t i = 0; i < blocks.count; ++i) {
      const Range range{blocks.first(i), blocks.first(i) + blocks.size(i)};
      scores.compute(panel, packed.data(), range, {scores.k.row(range.first), scores.k.stride},
                     block.data());
      body(range);
    }
  };
  for_each_block([&](Range range) {
    kernels::update_softmax<T>(range.last - range.first, panel.width, block.data(), largest, total,
                               correction);
  });
  T inverse[kPanelLanes<T>];
  for (int64_t lane = 0; lane < panel.width; ++lane) {
    largest[lane] = kernels::log_sum_or_infinity<T>(largest[lane]);
    inverse[lane] = total[lane] == T(0) ? T(0) : T(1) / total[lane];
  }
  T* const weights =
      pass.weights.data<T>() + (head * static_cast<int64_t>(pass.rows.size()) + rows.first) * keys;
  for_each_block([&](Range range) {
    kernels::scores_to_weights<T>(range.last - range.first, panel.width, largest, block.data());
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t key = range.first; key < range.last; ++key) {
        weights[lane * keys + key] =
            block.data()[(key - range.first) * panel.width + lane] * inverse[lane];
      }
    }
  });
}

template <typename T>
void weights(const AttentionWeights& pass) {
  const PanelSplit<T> panels(static_cast<int64_t>(pass.rows.size()));
  const int64_t heads = pass.scores.q.size(0) * pass.scores.q.size(1);
  const int64_t work = kPanelLanes<T> * (pass.scores.k.size(2) + 1) * pass.scores.q.size(3);
  parallel_for(heads * panels.count(), kernels::kAttentionGrain / work + 1,
               [&](int64_t first, int64_t last) {
                 for (int64_t item = first; item < last; ++item) {
                   const int64_t at = item % panels.count();
                   const int64_t row = panels.first_column(at);
                   weights_of_rows<T>(pass, item / panels.count(), {row, row + panels.columns(at)});
                 }
               });
}

void forward_cpu(const AttentionForward& pass) {
  dispatch_floating(pass.y.dtype(), "scaled_dot_product_attention",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

void weights_cpu(const AttentionWeights& pass) {
  dispatch_floating(pass.weights.dtype(), "attention_weights",
                    [&](auto tag) { weights<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    attention_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    attention_weights_kernel.set(DeviceType::cpu, weights_cpu);

}  // namespace
}  // namespace diagrad
