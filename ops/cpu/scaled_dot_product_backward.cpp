#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/attention_block.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/cpu/lane_sum.h"
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

/// The gradients of one head. With weights P, kept ones M P and D = sum dy y for each query:
/// dv = (M P)^T dy, dS = P (M (dy v^T) - D), dq = scale dS k, dk = scale dS^T q. A head is the work
/// of one thread, panel by panel, so the order of every sum depends on the sizes alone. All that is
/// read or added to more than once lies in a contiguous copy: heads lie side by side in memory, and
/// the rows of one would evict each other from the first-level cache.
template <typename T>
class BackwardHead {
 public:
  explicit BackwardHead(const AttentionBackward& pass)
      : pass_(pass),
        scores_(pass.scores),
        v_(pass.v),
        y_(pass.y),
        dy_(pass.dy),
        dq_(pass.dq),
        dk_(pass.dk),
        dv_(pass.dv),
        width_(scores_.width),
        value_width_(pass.v.size(3)),
        padded_(kernels::whole_vectors<T>(width_)),
        padded_values_(kernels::whole_vectors<T>(value_width_)),
        blocks_(scores_.keys, kernels::kBlockKeys),
        key_rows_(scores_.keys * padded_),
        value_rows_(scores_.keys * padded_values_),
        dk_rows_(dk_ ? scores_.keys * padded_ : 0),
        dv_rows_(dv_ ? scores_.keys * padded_values_ : 0),
        dq_rows_(kPanelLanes<T> * padded_),
        packed_q_(kPanelLanes<T> * width_),
        packed_dy_(kPanelLanes<T> * value_width_),
        q_rows_(kPanelLanes<T> * padded_),
        dy_rows_(kPanelLanes<T> * padded_values_),
        weights_(block_size()),
        slopes_(block_size()),
        factors_(drops() ? block_size() : 0) {}

  void run(int64_t head) {
    scores_.select(head);
    const int64_t keys = scores_.keys;
    kernels::pack_rows<T>(scores_.k, {0, keys}, width_, key_rows_.data());
    kernels::pack_rows<T>(v_.at(head), {0, keys}, value_width_, value_rows_.data());
    if (dk_) std::fill_n(dk_rows_.data(), keys * padded_, T(0));
    if (dv_) std::fill_n(dv_rows_.data(), keys * padded_values_, T(0));
    const PanelSplit<T> panels(scores_.queries);
    for (int64_t j = 0; j < panels.count(); ++j) {
      const QueryPanel panel = kernels::panel_of(panels, j);
      begin(head, panel);
      const int64_t end = scores_.keys_of(panel);
      for (int64_t block = 0; block < blocks_.count && blocks_.first(block) < end; ++block) {
        const int64_t first = blocks_.first(block);
        add_block(head, panel, {first, std::min(first + blocks_.size(block), end)});
      }
      if (dq_) {
        const RowView<T> dq = dq_.at(head);
        kernels::unpack_rows<T>(dq_rows_.data(), panel.count, scores_.scale,
                                {dq.row(panel.first), dq.stride}, width_);
      }
    }
    if (dk_) {
      kernels::unpack_rows<T>(dk_rows_.data(), keys, scores_.scale, dk_.at(head), width_);
    }
    if (dv_) kernels::unpack_rows<T>(dv_rows_.data(), keys, T(1), dv_.at(head), value_width_);
  }

 private:
  int64_t block_size() const {
    return std::min(kernels::kBlockKeys, scores_.keys) * kPanelLanes<T>;
  }
  bool drops() const { return pass_.dropout.threshold > 0; }

  void begin(int64_t head, const QueryPanel& panel) {
    const RowView<const T> dy = dy_.at(head);
    const RowView<const T> y = y_.at(head);
    const Range range{panel.first, panel.first + panel.count};
    kernels::pack_rows<T>(scores_.q, range, width_, q_rows_.data());
    kernels::pack_rows<T>(dy, range, value_width_, dy_rows_.data());
    scores_.pack_queries({q_rows_.data(), padded_}, {0, panel.count}, packed_q_.data());
    kernels::pack_columns<T>({dy_rows_.data(), padded_values_}, {0, panel.count}, value_width_,
                             packed_dy_.data());
    if (dq_) std::fill_n(dq_rows_.data(), panel.count * padded_, T(0));
    const T* const log_sum = pass_.log_sum.data<T>() + head * scores_.queries + panel.first;
    std::fill_n(log_sum_, kPanelLanes<T>, T(0));
    std::fill_n(products_, kPanelLanes<T>, T(0));
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      const T* const result = y.row(panel.first + lane);
      const T* const gradient = dy_rows_.data() + lane * padded_values_;
      log_sum_[lane] = kernels::log_sum_or_infinity(log_sum[lane]);
      products_[lane] =
          kernels::lane_sum<T>(value_width_, [=](int64_t c) { return gradient[c] * result[c]; });
    }
  }

  void add_block(int64_t head, const QueryPanel& panel, Range keys) {
    const int64_t count = keys.last - keys.first;
    const T* const key_rows = key_rows_.data() + keys.first * padded_;
    scores_.compute(panel, packed_q_.data(), keys, {key_rows, padded_}, weights_.data());
    if (drops()) {
      kernels::dropout_factors<T>(pass_.dropout,
                                  static_cast<uint64_t>(head * scores_.queries * scores_.keys),
                                  scores_.keys, panel, keys, factors_.data());
    }
    if (dq_ || dk_) {
      kernels::multiply_small<T>({.rows = count,
                                  .inner = value_width_,
                                  .a = value_rows_.data() + keys.first * padded_values_,
                                  .a_stride = padded_values_,
                                  .b = packed_dy_.data(),
                                  .b_stride = panel.width,
                                  .c = slopes_.data(),
                                  .c_stride = panel.width,
                                  .vectors = panel.width / kLanes<T>});
    }
    finish_scores(count, panel.width);
    if (dv_) {
      add_rows(weights_.data(), panel, keys, dy_rows_.data(), padded_values_, dv_rows_.data());
    }
    if (dk_) add_rows(slopes_.data(), panel, keys, q_rows_.data(), padded_, dk_rows_.data());
    if (dq_) {
      kernels::multiply_transposed<T>({.rows = panel.count,
                                       .inner = count,
                                       .a = slopes_.data(),
                                       .a_stride = panel.width,
                                       .b = key_rows,
                                       .b_stride = padded_,
                                       .c = dq_rows_.data(),
                                       .c_stride = padded_,
                                       .vectors = padded_ / kLanes<T>,
                                       .accumulate = true});
    }
  }

  /// Scores to kept weights M P, and dy v^T to dS.
  void finish_scores(int64_t keys, int64_t width) {
    for (int64_t row = 0; row < keys; ++row) {
      for (int64_t lane = 0; lane < width; lane += kLanes<T>) {
        const int64_t at = row * width + lane;
        const Vec<T> weight =
            kernels::exp_lanes<T>(load(weights_.data() + at) - load(log_sum_ + lane));
        const Vec<T> factor = drops() ? load(factors_.data() + at) : broadcast<T>(1);
        if (dq_ || dk_) {
          const Vec<T> slope = factor * load(slopes_.data() + at) - load(products_ + lane);
          store<T>(slopes_.data() + at, weight * slope);
        }
        store<T>(weights_.data() + at, weight * factor);
      }
    }
  }

  /// Adds block times rows of the panel's queries to rows of the keys.
  static void add_rows(const T* block, const QueryPanel& panel, Range keys, const T* right,
                       int64_t padded, T* rows) {
    kernels::multiply_small<T>({.rows = keys.last - keys.first,
                                .inner = panel.count,
                                .a = block,
                                .a_stride = panel.width,
                                .b = right,
                                .b_stride = padded,
                                .c = rows + keys.first * padded,
                                .c_stride = padded,
                                .vectors = padded / kLanes<T>,
                                .accumulate = true});
  }

  const AttentionBackward& pass_;
  HeadScores<T> scores_;
  const HeadRows<const T> v_, y_, dy_;
  const HeadRows<T> dq_, dk_, dv_;
  const int64_t width_, value_width_, padded_, padded_values_;
  const EvenSplit blocks_;
  const Scratch<T> key_rows_, value_rows_, dk_rows_, dv_rows_, dq_rows_;
  const Scratch<T> packed_q_, packed_dy_, q_rows_, dy_rows_, weights_, slopes_, factors_;
  T log_sum_[kPanelLanes<T>];
  T products_[kPanelLanes<T>];
};

template <typename T>
void backward(const AttentionBackward& pass) {
  const int64_t heads = pass.scores.q.size(0) * pass.scores.q.size(1);
  const int64_t work = (pass.scores.q.size(2) + 1) * (pass.scores.k.size(2) + 1) *
                       (pass.scores.q.size(3) + pass.v.size(3));
  parallel_for(heads, kernels::kAttentionGrain / work + 1, [&](int64_t first, int64_t last) {
    BackwardHead<T> gradients(pass);
    for (int64_t head = first; head < last; ++head) gradients.run(head);
  });
}

void backward_cpu(const AttentionBackward& pass) {
  dispatch_floating(pass.dy.dtype(), "scaled_dot_product_attention backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    attention_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
