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
using kernels::HeadScores;
using kernels::kPanelLanes;
using kernels::PanelSplit;
using kernels::QueryPanel;
using kernels::Range;
using kernels::RowView;
using kernels::Scratch;

template <typename T>
void fill_zero(const RowView<T>& rows, Range range, int64_t width) {
  for (int64_t r = range.first; r < range.last; ++r) std::fill_n(rows.row(r), width, T(0));
}

/// The gradients of one head. With weights P, kept ones M P and D = sum dy y for each query:
/// dv = (M P)^T dy, dS = P (M (dy v^T) - D), dq = scale dS k, dk = scale dS^T q. A head is the work
/// of one thread, panel by panel, so the order of every sum depends on the sizes alone.
template <typename T>
class BackwardHead {
 public:
  explicit BackwardHead(const AttentionBackward& pass)
      : pass_(pass),
        queries_(pass.scores.q.size(2)),
        keys_(pass.scores.k.size(2)),
        width_(pass.scores.q.size(3)),
        value_width_(pass.v.size(3)),
        padded_(kernels::whole_vectors<T>(width_)),
        padded_values_(kernels::whole_vectors<T>(value_width_)),
        blocks_(keys_, kernels::kBlockKeys),
        key_rows_(pass.dq.defined() ? keys_ * padded_ : 0),
        packed_q_(kPanelLanes<T> * width_),
        packed_dy_(kPanelLanes<T> * value_width_),
        q_rows_(kPanelLanes<T> * padded_),
        dy_rows_(kPanelLanes<T> * padded_values_),
        weights_(block_size()),
        slopes_(block_size()),
        factors_(drops() ? block_size() : 0) {}

  void run(int64_t head) {
    const HeadScores<T> scores(pass_.scores, head);
    const Range all_keys{0, keys_};
    if (pass_.dk.defined()) fill_zero(rows(pass_.dk, head), all_keys, width_);
    if (pass_.dv.defined()) fill_zero(rows(pass_.dv, head), all_keys, value_width_);
    if (pass_.dq.defined()) {
      kernels::pack_rows<T>(scores.k, all_keys, width_, key_rows_.data());
      if (keys_ == 0) fill_zero(rows(pass_.dq, head), {0, queries_}, width_);
    }
    const PanelSplit<T> panels(queries_);
    for (int64_t j = 0; j < panels.count(); ++j) {
      const QueryPanel panel = kernels::panel_of(panels, j);
      begin(head, scores, panel);
      const int64_t end = scores.keys_of(panel);
      for (int64_t block = 0; block < blocks_.count && blocks_.first(block) < end; ++block) {
        const int64_t first = blocks_.first(block);
        add_block(head, scores, panel, {first, std::min(first + blocks_.size(block), end)});
      }
    }
  }

 private:
  static RowView<T> rows(const Tensor& x, int64_t head) {
    return kernels::rows_of_head<T>(x, head);
  }
  int64_t block_size() const { return std::min(kernels::kBlockKeys, keys_) * kPanelLanes<T>; }
  bool drops() const { return pass_.dropout.threshold > 0; }

  void begin(int64_t head, const HeadScores<T>& scores, const QueryPanel& panel) {
    const auto dy = kernels::rows_of_head<const T>(pass_.dy, head);
    const auto y = kernels::rows_of_head<const T>(pass_.y, head);
    const Range range{panel.first, panel.first + panel.count};
    kernels::pack_columns<T>(scores.q, range, width_, packed_q_.data());
    kernels::pack_columns<T>(dy, range, value_width_, packed_dy_.data());
    kernels::pack_rows<T>(scores.q, range, width_, q_rows_.data());
    kernels::pack_rows<T>(dy, range, value_width_, dy_rows_.data());
    const T* const log_sum = pass_.log_sum.data<T>() + head * queries_ + panel.first;
    std::fill_n(log_sum_, kPanelLanes<T>, T(0));
    std::fill_n(products_, kPanelLanes<T>, T(0));
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      const T* const result = y.row(panel.first + lane);
      const T* const gradient = dy.row(panel.first + lane);
      log_sum_[lane] = kernels::log_sum_or_infinity(log_sum[lane]);
      products_[lane] =
          kernels::lane_sum<T>(value_width_, [=](int64_t c) { return gradient[c] * result[c]; });
    }
  }

  void add_block(int64_t head, const HeadScores<T>& scores, const QueryPanel& panel, Range keys) {
    const int64_t count = keys.last - keys.first;
    T* const weights = weights_.data();
    scores.compute(panel, packed_q_.data(), keys, weights);
    kernels::scores_to_weights<T>(count, panel.width, log_sum_, weights);
    if (drops()) {
      kernels::dropout_factors<T>(pass_.dropout, static_cast<uint64_t>(head * queries_ * keys_),
                                  keys_, panel, keys, factors_.data());
    }
    if (pass_.dq.defined() || pass_.dk.defined()) make_slopes(head, panel, keys, scores.scale);
    if (pass_.dv.defined()) {
      if (drops()) {
        kernels::multiply_elements<T>(count * panel.width, factors_.data(), weights);
      }
      add_rows(weights, panel, keys, dy_rows_.data(), padded_values_, rows(pass_.dv, head),
               value_width_);
    }
    if (pass_.dk.defined()) {
      add_rows(slopes_.data(), panel, keys, q_rows_.data(), padded_, rows(pass_.dk, head), width_);
    }
    if (pass_.dq.defined()) {
      const RowView<T> dq = rows(pass_.dq, head);
      kernels::multiply_transposed<T>({.a = {slopes_.data(), panel.width},
                                       .rows = panel.count,
                                       .inner = count,
                                       .b = key_rows_.data() + keys.first * padded_,
                                       .b_stride = padded_,
                                       .c = {dq.row(panel.first), dq.stride},
                                       .columns = width_,
                                       .accumulate = keys.first > 0});
    }
  }

  /// slopes = scale dS.
  void make_slopes(int64_t head, const QueryPanel& panel, Range keys, T scale) {
    const auto values = kernels::rows_of_head<const T>(pass_.v, head);
    const int64_t count = keys.last - keys.first;
    kernels::multiply<T>({.a = {values.row(keys.first), values.stride},
                          .rows = count,
                          .inner = value_width_,
                          .b = packed_dy_.data(),
                          .b_stride = panel.width,
                          .c = {slopes_.data(), panel.width},
                          .columns = panel.width});
    if (drops()) {
      kernels::multiply_elements<T>(count * panel.width, factors_.data(), slopes_.data());
    }
    for (int64_t row = 0; row < count; ++row) {
      const T* __restrict weights = weights_.data() + row * panel.width;
      T* __restrict slopes = slopes_.data() + row * panel.width;
      for (int64_t lane = 0; lane < panel.width; ++lane) {
        slopes[lane] = weights[lane] * (slopes[lane] - products_[lane]) * scale;
      }
    }
  }

  /// Adds block times rows of the panel's queries to rows of the keys.
  static void add_rows(const T* block, const QueryPanel& panel, Range keys, const T* right,
                       int64_t right_stride, const RowView<T>& result, int64_t columns) {
    kernels::multiply<T>({.a = {block, panel.width},
                          .rows = keys.last - keys.first,
                          .inner = panel.count,
                          .b = right,
                          .b_stride = right_stride,
                          .c = {result.row(keys.first), result.stride},
                          .columns = columns,
                          .accumulate = true});
  }

  const AttentionBackward& pass_;
  const int64_t queries_, keys_, width_, value_width_, padded_, padded_values_;
  const EvenSplit blocks_;
  const Scratch<T> key_rows_, packed_q_, packed_dy_, q_rows_, dy_rows_, weights_, slopes_, factors_;
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
