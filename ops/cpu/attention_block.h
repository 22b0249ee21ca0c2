#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "diagrad/core/vector_math.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/pack.h"
#include "diagrad/ops/cpu/gemm/packed_right.h"
#include "diagrad/ops/cpu/gemm/small_product.h"
#include "diagrad/ops/cpu/philox_words.h"
#include "diagrad/ops/scaled_dot_product_kernels.h"

// A block of attention scores is held transposed: a row for each key, a lane for each query of a
// panel. Maximum, exponentials and sum of the softmax then run over whole vectors, rows of k and v
// are read where they lie, and the block is an operand of all other products as it is: by columns
// for y and dq, by rows for dk and dv. Everything here runs on the calling thread.

namespace diagrad::kernels {

/// Most keys of a block: it stays in the first-level cache.
inline constexpr int64_t kBlockKeys = 128;
/// Lanes of a full panel of queries.
template <typename T>
inline constexpr int64_t kPanelLanes = kMaxVectors* kLanes<T>;
/// Multiply-adds that are worth a thread.
inline constexpr int64_t kAttentionGrain = int64_t{1} << 18;

template <typename T>
int64_t whole_vectors(int64_t columns) {
  return (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// Rows of contiguous values, `stride` apart.
template <typename T>
struct RowView {
  T* data;
  int64_t stride;
  T* row(int64_t index) const { return data + index * stride; }
};

/// The rows of each of the B * heads heads of x [B,heads,T,d].
template <typename T>
class HeadRows {
 public:
  HeadRows() = default;  ///< of no tensor
  explicit HeadRows(const Tensor& x) {
    if (!x.defined()) return;
    data_ = x.data<std::remove_const_t<T>>();
    heads_ = x.size(1);
    batch_stride_ = x.strides()[0];
    head_stride_ = x.strides()[1];
    row_stride_ = x.strides()[2];
  }
  explicit operator bool() const { return data_ != nullptr; }
  RowView<T> at(int64_t head) const {
    return {data_ + head / heads_ * batch_stride_ + head % heads_ * head_stride_, row_stride_};
  }

 private:
  T* data_ = nullptr;
  int64_t heads_ = 1;
  int64_t batch_stride_ = 0;
  int64_t head_stride_ = 0;
  int64_t row_stride_ = 0;
};

/// Rows as the right operand of a product: [count, padded], zero beyond `width`.
template <typename T>
void pack_rows(RowView<const T> rows, Range range, int64_t width, T* packed) {
  const int64_t whole = width / kLanes<T> * kLanes<T>;
  for (int64_t r = range.first; r < range.last; ++r) {
    const T* const row = rows.row(r);
    for (int64_t c = 0; c < whole; c += kLanes<T>, packed += kLanes<T>)
      store<T>(packed, load(row + c));
    if (whole == width) continue;
    store<T>(packed, load_partial(row + whole, width - whole));
    packed += kLanes<T>;
  }
}

/// Rows of whole vectors, from `packed` on, times `factor`, to the first `count` of `rows`.
template <typename T>
void unpack_rows(const T* packed, int64_t count, T factor, RowView<T> rows, int64_t width) {
  const int64_t whole = width / kLanes<T> * kLanes<T>;
  for (int64_t r = 0; r < count; ++r) {
    T* const row = rows.row(r);
    for (int64_t c = 0; c < whole; c += kLanes<T>, packed += kLanes<T>) {
      store<T>(row + c, load(packed) * factor);
    }
    if (whole == width) continue;
    store_partial<T>(row + whole, load(packed) * factor, width - whole);
    packed += kLanes<T>;
  }
}

/// Rows as the columns of a right operand: [width, whole vectors of rows], zero beyond the last.
template <typename T>
void pack_columns(RowView<const T> rows, Range range, int64_t width, T* packed) {
  pack_panel_from_columns<T>(PanelSplit<T>(range.last - range.first), 0, width,
                             rows.row(range.first), rows.stride, packed);
}

/// c = a^T b (+ c), a [inner, rows]; b and c in whole vectors.
template <typename T>
void multiply_transposed(const SmallProduct<T>& p) {
  const PanelSplit<T> split(p.vectors * kLanes<T>);
  const EvenSplit blocks(p.rows, max_column_kernel_rows(split.vectors(0)));
  std::array<T*, kAccumulators> targets;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t first = blocks.first(block);
    const int64_t count = blocks.size(block);
    for (int64_t panel = 0; panel < split.count(); ++panel) {
      const int64_t column = split.first_column(panel);
      for (int64_t r = 0; r < count; ++r) {
        targets[static_cast<size_t>(r)] = p.c + (first + r) * p.c_stride + column;
      }
      BlockOutput<T> out{targets.data(), split.columns(panel)};
      out.accumulate = p.accumulate;
      column_kernel<T>(count, split.vectors(panel))({p.a + first, p.a_stride, 0, 1, p.inner},
                                                    {p.b + column, p.b_stride, 0}, out);
    }
  }
}

/// Queries whose scores lie side by side in the lanes of a block.
struct QueryPanel {
  int64_t first;                  ///< query of lane 0 where `rows` is null: the others follow
  int64_t count;                  ///< lanes that hold a query
  int64_t width;                  ///< lanes, whole vectors
  const int64_t* rows = nullptr;  ///< query of each lane
  int64_t query(int64_t lane) const { return rows != nullptr ? rows[lane] : first + lane; }
};

template <typename T>
QueryPanel panel_of(const PanelSplit<T>& split, int64_t panel) {
  return {split.first_column(panel), split.columns(panel), split.vectors(panel) * kLanes<T>};
}

/// The scores of one head at a time.
template <typename T>
class HeadScores {
 public:
  explicit HeadScores(const AttentionScores& scores)
      : queries(scores.q.size(2)),
        keys(scores.k.size(2)),
        width(scores.q.size(3)),
        scale(static_cast<T>(scores.scale)),
        all_q_(scores.q),
        all_k_(scores.k),
        heads_(scores.q.size(1)),
        causal_(scores.causal) {
    if (!scores.mask.defined()) return;
    mask_strides_ = scores.mask.strides();
    if (scores.mask.dtype() == DType::u8) {
      all_allowed_ = scores.mask.data<uint8_t>();
    } else {
      all_added_ = scores.mask.data<T>();
    }
  }

  void select(int64_t head) {
    q = all_q_.at(head);
    k = all_k_.at(head);
    if (mask_strides_.empty()) return;
    const int64_t offset = head / heads_ * mask_strides_[0] + head % heads_ * mask_strides_[1];
    if (all_allowed_ != nullptr) allowed_ = all_allowed_ + offset;
    if (all_added_ != nullptr) added_ = all_added_ + offset;
  }

  /// Keys [0, n) may be attended to by some query of the panel.
  int64_t keys_of(const QueryPanel& panel) const {
    if (!causal_) return keys;
    int64_t last = 0;
    for (int64_t lane = 0; lane < panel.count; ++lane) last = std::max(last, panel.query(lane));
    return std::min(keys, last + 1);
  }

  /// Rows of queries, times the scale, as `compute` takes them.
  void pack_queries(RowView<const T> rows, Range range, T* packed) const {
    pack_columns<T>(rows, range, width, packed);
    const int64_t size = width * whole_vectors<T>(range.last - range.first);
    for (int64_t i = 0; i < size; ++i) packed[i] *= scale;
  }

  /// Scores of the keys `range`, whose rows begin with `rows`, with the queries of pack_queries,
  /// masked.
  void compute(const QueryPanel& panel, const T* packed, Range range, RowView<const T> rows,
               T* scores) const {
    multiply_small<T>({.rows = range.last - range.first,
                       .inner = width,
                       .a = rows.data,
                       .a_stride = rows.stride,
                       .b = packed,
                       .b_stride = panel.width,
                       .c = scores,
                       .c_stride = panel.width,
                       .vectors = panel.width / kLanes<T>});
    if (added_ != nullptr || allowed_ != nullptr) apply_mask(panel, range, scores);
    if (causal_) apply_causal(panel, range, scores);
  }

  const int64_t queries, keys, width;
  const T scale;
  RowView<const T> q, k;  ///< of the selected head

 private:
  static constexpr T kMasked = -std::numeric_limits<T>::infinity();

  void apply_mask(const QueryPanel& panel, Range range, T* scores) const {
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      int64_t at = panel.query(lane) * mask_strides_[2] + range.first * mask_strides_[3];
      T* score = scores + lane;
      for (int64_t key = range.first; key < range.last; ++key) {
        if (added_ != nullptr) {
          *score += added_[at];
        } else if (allowed_[at] == 0) {
          *score = kMasked;
        }
        at += mask_strides_[3];
        score += panel.width;
      }
    }
  }

  void apply_causal(const QueryPanel& panel, Range range, T* scores) const {
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      for (int64_t key = std::max(range.first, panel.query(lane) + 1); key < range.last; ++key) {
        scores[(key - range.first) * panel.width + lane] = kMasked;
      }
    }
  }

  HeadRows<const T> all_q_, all_k_;
  int64_t heads_;
  bool causal_;
  Shape mask_strides_;  ///< empty: no mask
  const T* all_added_ = nullptr;
  const uint8_t* all_allowed_ = nullptr;
  const T* added_ = nullptr;  ///< of the selected head
  const uint8_t* allowed_ = nullptr;
};

/// e^x for x <= 0.
template <typename T>
inline Vec<T> exp_lanes(const Vec<T>& x) {
  if constexpr (std::is_same_v<T, float>) {
    return exp_of_negative(x);
  } else {
    T lanes[kLanes<T>];
    store<T>(lanes, x);
    for (T& lane : lanes) lane = exp_of_negative(lane);
    return load<T>(lanes);
  }
}

/// Scores of a block to weights e^(score - log_sum), whose lanes are infinite where the query
/// attends to no key.
template <typename T>
void scores_to_weights(int64_t keys, int64_t width, const T* log_sum, T* scores) {
  for (int64_t row = 0; row < keys; ++row) {
    for (int64_t lane = 0; lane < width; lane += kLanes<T>) {
      T* const at = scores + row * width + lane;
      store<T>(at, exp_lanes<T>(load(at) - load(log_sum + lane)));
    }
  }
}

/// log_sum as scores_to_weights takes it.
template <typename T>
T log_sum_or_infinity(T log_sum) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  return log_sum == -kInfinity ? kInfinity : log_sum;
}

/// Turns scores into e^(score - largest), where `largest` is that of all blocks up to this one.
/// Updates it and the sum of these powers; `correction` receives the factor of what was summed
/// with the largest score before.
template <typename T>
void update_softmax(int64_t keys, int64_t width, T* scores, T* largest, T* sum, T* correction) {
  const Vec<T> nothing = broadcast<T>(-std::numeric_limits<T>::infinity());
  for (int64_t lane = 0; lane < width; lane += kLanes<T>) {
    T* const column = scores + lane;
    const Vec<T> before = load(largest + lane);
    Vec<T> top = before;
    Vec<T> second = before;
    int64_t row = 0;
    for (; row + 2 <= keys; row += 2) {
      const Vec<T> a = load(column + row * width);
      const Vec<T> b = load(column + (row + 1) * width);
      top = a > top ? a : top;
      second = b > second ? b : second;
    }
    if (row < keys) {
      const Vec<T> a = load(column + row * width);
      top = a > top ? a : top;
    }
    top = second > top ? second : top;
    // Of a query that attends to no key so far, every power is e^-infinity = 0.
    const Vec<T> base = top == nothing ? Vec<T>{} : top;
    Vec<T> total = {};
    for (row = 0; row < keys; ++row) {
      const Vec<T> power = exp_lanes<T>(load(column + row * width) - base);
      store<T>(column + row * width, power);
      total += power;
    }
    const Vec<T> factor = exp_lanes<T>(before - base);
    store<T>(correction + lane, factor);
    store<T>(largest + lane, top);
    store<T>(sum + lane, load(sum + lane) * factor + total);
  }
}

/// The factors of dropout of a block: 0 where a weight is dropped, else mask.scale.
template <typename T>
void dropout_factors(const DropoutMask& mask, uint64_t first_of_head, int64_t all_keys,
                     const QueryPanel& panel, Range keys, T* factors) {
  constexpr int64_t kBlocks = kBlockKeys / 4 + 8;  // of words; with both ends, a multiple of 8
  uint32_t words[4 * kBlocks];
  for (int64_t lane = 0; lane < panel.count; ++lane) {
    const uint64_t first =
        first_of_head + static_cast<uint64_t>(panel.query(lane) * all_keys + keys.first);
    philox_words<kBlocks>(mask.seed, mask.stream, first / 4, words);
    const uint32_t* const word = words + first % 4;
    for (int64_t key = 0; key < keys.last - keys.first; ++key) {
      factors[key * panel.width + lane] =
          word[key] >= mask.threshold ? static_cast<T>(mask.scale) : T(0);
    }
  }
  for (int64_t key = 0; key < keys.last - keys.first; ++key) {
    std::fill(factors + key * panel.width + panel.count, factors + (key + 1) * panel.width, T(0));
  }
}

/// x *= factors.
template <typename T>
void multiply_elements(int64_t size, const T* __restrict factors, T* __restrict x) {
  for (int64_t i = 0; i < size; ++i) x[i] *= factors[i];
}

}  // namespace diagrad::kernels
