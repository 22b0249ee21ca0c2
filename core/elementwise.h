#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "diagrad/core/parallel.h"
#include "diagrad/core/tensor.h"
#include "diagrad/core/vector_math.h"

namespace diagrad {

namespace detail {

/// The common iteration space of several equally shaped tensors after merging axes that are
/// contiguous in all of them. Operand 0 is the output.
struct StridedLoop {
  static constexpr int kMaxOperands = 6;
  int rank = 0;
  int operands = 0;
  std::array<int64_t, Shape::kMaxRank> sizes{};
  std::array<std::array<int64_t, Shape::kMaxRank>, kMaxOperands> strides{};

  int64_t inner_size() const { return sizes[static_cast<size_t>(rank - 1)]; }
  int64_t inner_stride(int operand) const {
    return strides[static_cast<size_t>(operand)][static_cast<size_t>(rank - 1)];
  }
};

/// Walks a StridedLoop run by run of its inner axis, from any position, without a division per
/// run: short runs (a few channels of a broadcast vector) cost little more than long ones.
class RunCursor {
 public:
  RunCursor(const StridedLoop& loop, int64_t position);

  /// Values from here to the end of the run.
  int64_t remaining() const { return loop_.inner_size() - column_; }
  /// Of the current position.
  int64_t offset(int operand) const {
    return offsets_[static_cast<size_t>(operand)] + column_ * loop_.inner_stride(operand);
  }
  /// To the start of the next run.
  void next_run() {
    column_ = 0;
    for (int axis = loop_.rank - 2; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      const bool wraps = ++index_[a] == loop_.sizes[a];
      const int64_t steps = wraps ? 1 - loop_.sizes[a] : 1;
      for (size_t t = 0; t < static_cast<size_t>(loop_.operands); ++t) {
        offsets_[t] += steps * loop_.strides[t][a];
      }
      if (!wraps) return;
      index_[a] = 0;
    }
  }

 private:
  const StridedLoop& loop_;
  int64_t column_;
  std::array<int64_t, Shape::kMaxRank> index_{};
  std::array<int64_t, StridedLoop::kMaxOperands> offsets_{};
};

/// Throws an internal error when the shapes differ.
StridedLoop make_strided_loop(const Tensor* const* tensors, int count);

inline constexpr int64_t kElementwiseGrain = 16384;

/// Calls run(numbers of the inputs, count, unit, strides, out, in...) for the runs of the inner
/// axis, in parallel: arrays of `count` elements, `strides` apart, the output's first; `unit` when
/// all of these are 1.
template <typename Out, typename... In, typename Run, typename... Inputs>
void for_each_run(const Tensor& out, Run run, const Inputs&... inputs) {
  static_assert(sizeof...(In) == sizeof...(Inputs), "one element type per input");
  constexpr int kCount = 1 + static_cast<int>(sizeof...(In));
  if (out.numel() == 0) return;
  const std::array<const Tensor*, kCount> tensors{&out, &inputs...};
  const StridedLoop loop = make_strided_loop(tensors.data(), kCount);
  [&]<size_t... I>(std::index_sequence<I...>) {
    Out* const out_data = out.data<Out>();
    const std::tuple<const In*...> in_data{inputs.template data<In>()...};
    const std::array<int64_t, kCount> strides{loop.inner_stride(0),
                                              loop.inner_stride(static_cast<int>(I) + 1)...};
    const bool unit =
        std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 1; });
    parallel_for(out.numel(), kElementwiseGrain, [&](int64_t first, int64_t last) {
      RunCursor cursor(loop, first);
      for (int64_t index = first; index < last; cursor.next_run()) {
        const int64_t count = std::min(cursor.remaining(), last - index);
        run(std::index_sequence<I...>{}, count, unit, strides, out_data + cursor.offset(0),
            std::get<I>(in_data) + cursor.offset(static_cast<int>(I) + 1)...);
        index += count;
      }
    });
  }
  (std::index_sequence_for<In...>{});
}

}  // namespace detail

/// out[i] = f(in[i]...) for every index i, in parallel; all tensors have the same shape (expand
/// broadcast operands first, a stride of 0 repeats). `f` takes the input element types by value.
/// Out-of-order safe: each element is computed once, so the bits do not depend on threads; `out`
/// may be one of the inputs.
template <typename Out, typename... In, typename F, typename... Inputs>
void elementwise(const Tensor& out, F f, const Inputs&... inputs) {
  const auto run = [f]<size_t... I>(std::index_sequence<I...>, int64_t count, bool unit,
                                    const auto& strides, Out* y, const auto*... x) {
    if (unit) {
      for (int64_t i = 0; i < count; ++i) y[i] = f(x[i]...);
    } else {
      for (int64_t i = 0; i < count; ++i) y[i * strides[0]] = f(x[i * strides[I + 1]]...);
    }
  };
  detail::for_each_run<Out, In...>(out, run, inputs...);
}

inline namespace DG_VECTOR_NAMESPACE {

/// The same for an f that takes and returns MathVec<T>: also a remainder and strided elements go
/// through it, in lanes beside zeros, so that the bits depend on values alone.
template <typename T, typename F, typename... Inputs>
void elementwise_math(const Tensor& out, F f, const Inputs&... inputs) {
  const auto run = [f]<size_t... I>(std::index_sequence<I...>, int64_t size, bool /*unit*/,
                                    const auto& strides, T* y, const auto*... x) {
    for (int64_t i = 0; i < size; i += kMathLanes<T>) {
      const int64_t count = std::min(kMathLanes<T>, size - i);
      store_math(y + i * strides[0], f(load_math(x + i * strides[I + 1], count, strides[I + 1])...),
                 count, strides[0]);
    }
  };
  detail::for_each_run<T, std::conditional_t<true, T, Inputs>...>(out, run, inputs...);
}

}  // namespace DG_VECTOR_NAMESPACE

}  // namespace diagrad
