#include "diagrad/ops/cpu/gemm/micro_kernel.h"

#include "diagrad/ops/cpu/gemm/micro_kernel_parts.h"

namespace diagrad::kernels {
namespace {

/// Into the second-level cache: the first is small, and what is needed now comes first.
template <typename T>
[[gnu::always_inline]] inline void prefetch_line(const T* at) {
  __builtin_prefetch(at, 0, 2);
}

/// Steps of k between two requests.
constexpr int64_t kSteps = 4;

/// What a block will need: first its lines of the result, a row at a time, then the right operand
/// of a later block. All at once they would keep what is needed now waiting.
template <typename T, int kRows, int kVectors>
class Requests {
 public:
  [[gnu::always_inline]] Requests(const BlockOutput<T>& out, const PanelOperand<T>& b)
      : row_(out.rows), end_(out.rows + kRows), next_(b.next), next_end_(b.next + b.next_size) {}

  [[gnu::always_inline]] void make_one() {
    if (row_ != end_) {
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) __builtin_prefetch(*row_ + v * kLanes<T>, 1);
      ++row_;
    } else if (next_ < next_end_) {
      prefetch_line(next_);
      next_ += kLanes<T>;
    }
  }

 private:
  T* const* row_;
  T* const* end_;
  const T* next_;
  const T* next_end_;
};

template <typename T, int kRows, int kVectors, Prefetch kPrefetch>
void row_block(const RowOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  if constexpr (kPrefetch == Prefetch::kResult) prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  Ahead<T> source = a.source;
  Ahead<T> result = a.result;
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + a.offsets[run];
#pragma GCC unroll 4
    for (int64_t k = 0; k < a.length; ++k) {
      if constexpr (kPrefetch == Prefetch::kStream) {
        prefetch_line(source.data);
        prefetch_line(result.data);
        source.data += source.step;
        result.data += result.step;
      }
      multiply_add(left, k, right, sum);
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors>
void row_block_for_next(const RowOperand<T>& a, const PanelOperand<T>& b,
                        const BlockOutput<T>& out) {
  Requests<T, kRows, kVectors> requests(out, b);
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + a.offsets[run];
    int64_t k = 0;
    for (; k + kSteps <= a.length; k += kSteps) {
      requests.make_one();
      DG_UNROLL
      for (int64_t step = 0; step < kSteps; ++step, right += b.step) {
        multiply_add(left, k + step, right, sum);
      }
    }
    for (; k < a.length; ++k, right += b.step) multiply_add(left, k, right, sum);
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors, Prefetch kPrefetch>
void column_block(const ColumnOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left = a.data + run * a.run_step;
    const T* right = b.data + run * b.run_step;
    for (int64_t k = 0; k < a.length; ++k) {
      if constexpr (kPrefetch == Prefetch::kStream) {
        prefetch_line(left + a.ahead);
        if constexpr (kRows > kLanes<T>) prefetch_line(left + a.ahead + kRows - 1);
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) prefetch_line(right + b.ahead + v * kLanes<T>);
      }
      multiply_add(left, right, sum);
      left += a.step;
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors>
void column_block_for_next(const ColumnOperand<T>& a, const PanelOperand<T>& b,
                           const BlockOutput<T>& out) {
  Requests<T, kRows, kVectors> requests(out, b);
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left = a.data + run * a.run_step;
    const T* right = b.data + run * b.run_step;
    int64_t k = 0;
    for (; k + kSteps <= a.length; k += kSteps) {
      requests.make_one();
      DG_UNROLL
      for (int64_t step = 0; step < kSteps; ++step, left += a.step, right += b.step) {
        multiply_add(left, right, sum);
      }
    }
    for (; k < a.length; ++k, left += a.step, right += b.step) multiply_add(left, right, sum);
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, Prefetch kPrefetch>
constexpr KernelTableOf<RowKernel<T>, kMaxRows, kWideVectors> kRowKernels(
    []<int kRows, int kVectors>() -> RowKernel<T> {
      if constexpr (kRows > max_row_kernel_rows(kVectors)) {
        return nullptr;
      } else if constexpr (kPrefetch == Prefetch::kNext) {
        return row_block_for_next<T, kRows, kVectors>;
      } else {
        return row_block<T, kRows, kVectors, kPrefetch>;
      }
    });

template <typename T, Prefetch kPrefetch>
constexpr KernelTableOf<ColumnKernel<T>, kAccumulators, kMaxVectors> kColumnKernels(
    []<int kRows, int kVectors>() -> ColumnKernel<T> {
      if constexpr (kRows > max_column_kernel_rows(kVectors)) {
        return nullptr;
      } else if constexpr (kPrefetch == Prefetch::kNext) {
        return column_block_for_next<T, kRows, kVectors>;
      } else {
        return column_block<T, kRows, kVectors, kPrefetch>;
      }
    });

}  // namespace

template <typename T>
RowKernel<T> row_kernel(int64_t rows, int64_t vectors, Prefetch prefetch) {
  switch (prefetch) {
    case Prefetch::kNext:
      return kRowKernels<T, Prefetch::kNext>.at(rows, vectors);
    case Prefetch::kStream:
      return kRowKernels<T, Prefetch::kStream>.at(rows, vectors);
    default:
      return kRowKernels<T, Prefetch::kResult>.at(rows, vectors);
  }
}

template <typename T>
ColumnKernel<T> column_kernel(int64_t rows, int64_t vectors, Prefetch prefetch) {
  switch (prefetch) {
    case Prefetch::kNext:
      return kColumnKernels<T, Prefetch::kNext>.at(rows, vectors);
    case Prefetch::kStream:
      return kColumnKernels<T, Prefetch::kStream>.at(rows, vectors);
    default:
      return kColumnKernels<T, Prefetch::kResult>.at(rows, vectors);
  }
}

template RowKernel<float> row_kernel<float>(int64_t, int64_t, Prefetch);
template RowKernel<double> row_kernel<double>(int64_t, int64_t, Prefetch);
template ColumnKernel<float> column_kernel<float>(int64_t, int64_t, Prefetch);
template ColumnKernel<double> column_kernel<double>(int64_t, int64_t, Prefetch);

}  // namespace diagrad::kernels
