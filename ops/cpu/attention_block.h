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
#include "diagrad/ops/cpu/gemm/row_product.h"
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

/// The rows of head `index`, of B * heads, of x [B,heads,T,d].
template <typename T>
RowView<T> rows_of_head(const Tensor& x, int64_t index) {
  const int64_t heads = x.size(1);
  return {x.data<std::remove_const_t<T>>() + index / heads * x.strides()[0] +
              index % heads * x.strides()[1],
          x.strides()[2]};
}

/// Rows as the right operand of a product: [count, padded], zero beyond `width`.
template <typename T>
void pack_rows(RowView<const T> rows, Range range, int64_t width, T* packed) {
  const int64_t padded = whole_vectors<T>(width);
  for (int64_t r = range.first; r < range.last; ++r, packed += padded) {
    std::copy_n(rows.row(r), width, packed);
    std::fill(packed + width, packed + padded, T(0));
  }
}

/// Rows as the columns of a right operand: [width, whole vectors of rows], zero beyond the last.
template <typename T>
void pack_columns(RowView<const T> rows, Range range, int64_t width, T* packed) {
  pack_panel_from_columns<T>(PanelSplit<T>(range.last - range.first), 0, width,
                             rows.row(range.first), rows.stride, packed);
}

/// c = alpha a b (+ c), a [rows, inner] by rows, b [inner, columns] in rows of whole vectors.
template <typename T>
struct BlockProduct {
  RowView<const T> a;
  int64_t rows;
  int64_t inner;
  const T* b;
  int64_t b_stride;
  RowView<T> c;
  int64_t columns;
  T alpha = 1;
  bool accumulate = false;
};

template <typename T>
void multiply(const BlockProduct<T>& p) {
  const PanelSplit<T> split(p.columns);
  RowProduct<T> product{p.rows, p.inner, p.a.data, p.a.stride, p.c.data, p.c.stride};
  product.alpha = p.alpha;
  product.accumulate = p.accumulate;
  product.prefetch = Prefetch::kResult;
  multiply_rows<T>(product, split, p.inner, [&](int64_t panel, int64_t /*k*/) {
    return PanelOperand<T>{p.b + split.first_column(panel), p.b_stride, 0};
  });
}

/// The same with a given as its transpose [inner, rows].
template <typename T>
void multiply_transposed(const BlockProduct<T>& p) {
  const PanelSplit<T> split(p.columns);
  const EvenSplit blocks(p.rows, max_column_kernel_rows(split.vectors(0)));
  std::array<T*, kAccumulators> targets;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t first = blocks.first(block);
    const int64_t count = blocks.size(block);
    for (int64_t panel = 0; panel < split.count(); ++panel) {
      const int64_t column = split.first_column(panel);
      for (int64_t r = 0; r < count; ++r) {
        targets[static_cast<size_t>(r)] = p.c.row(first + r) + column;
      }
      BlockOutput<T> out{targets.data(), split.columns(panel), p.alpha};
      out.accumulate = p.accumulate;
      column_kernel<T>(count, split.vectors(panel))({p.a.data + first, p.a.stride, 0, 1, p.inner},
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

/// The scores of one head.
template <typename T>
class HeadScores {
 public:
  HeadScores(const AttentionScores& scores, int64_t head)
      : q(rows_of_head<const T>(scores.q, head)),
        k(rows_of_head<const T>(scores.k, head)),
        width(scores.q.size(3)),
        scale(static_cast<T>(scores.scale)),
        keys_(scores.k.size(2)),
        causal_(scores.causal) {
    if (!scores.mask.defined()) return;
    const Shape& strides = scores.mask.strides();
    const int64_t heads = scores.q.size(1);
    const int64_t offset = head / heads * strides[0] + head % heads * strides[1];
    query_stride_ = strides[2];
    key_stride_ = strides[3];
    if (scores.mask.dtype() == DType::u8) {
      allowed_ = scores.mask.data<uint8_t>() + offset;
    } else {
      added_ = scores.mask.data<T>() + offset;
    }
  }

  /// Keys [0, n) may be attended to by some query of the panel.
  int64_t keys_of(const QueryPanel& panel) const {
    if (!causal_) return keys_;
    int64_t last = 0;
    for (int64_t lane = 0; lane < panel.count; ++lane) last = std::max(last, panel.query(lane));
    return std::min(keys_, last + 1);
  }

  /// Scores of keys [keys.first, keys.last) with the queries packed by pack_columns, masked.
  void compute(const QueryPanel& panel, const T* packed, Range keys, T* scores) const {
    multiply<T>({.a = {k.row(keys.first), k.stride},
                 .rows = keys.last - keys.first,
                 .inner = width,
                 .b = packed,
                 .b_stride = panel.width,
                 .c = {scores, panel.width},
                 .columns = panel.width,
                 .alpha = scale});
    if (added_ != nullptr || allowed_ != nullptr) apply_mask(panel, keys, scores);
    if (causal_) apply_causal(panel, keys, scores);
  }

  const RowView<const T> q, k;
  const int64_t width;
  const T scale;

 private:
  static constexpr T kMasked = -std::numeric_limits<T>::infinity();

  void apply_mask(const QueryPanel& panel, Range keys, T* scores) const {
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      int64_t at = panel.query(lane) * query_stride_ + keys.first * key_stride_;
      T* score = scores + lane;
      for (int64_t key = keys.first; key < keys.last; ++key) {
        if (added_ != nullptr) {
          *score += added_[at];
        } else if (allowed_[at] == 0) {
          *score = kMasked;
        }
        at += key_stride_;
        score += panel.width;
      }
    }
  }

  void apply_causal(const QueryPanel& panel, Range keys, T* scores) const {
    for (int64_t lane = 0; lane < panel.count; ++lane) {
      for (int64_t key = std::max(keys.first, panel.query(lane) + 1); key < keys.last; ++key) {
        scores[(key - keys.first) * panel.width + lane] = kMasked;
      }
    }
  }

  int64_t keys_;
  bool causal_;
  const T* added_ = nullptr;
  const uint8_t* allowed_ = nullptr;
  int64_t query_stride_ = 0;
  int64_t key_stride_ = 0;
};

template <typename T>
inline Vec<T> exp_lanes(const Vec<T>& x) {
  if constexpr (std::is_same_v<T, float>) {
    return exp_of(x);
  } else {
    T lanes[kLanes<T>];
    store<T>(lanes, x);
    for (T& lane : lanes) lane = exp_of(lane);
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
