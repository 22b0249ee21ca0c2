#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <utility>

#include "diagrad/core/parallel.h"
#include "diagrad/core/tensor.h"

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
  /// Offset of operand at linear position `index` of the iteration space.
  int64_t offset(int operand, int64_t index) const;
};

/// Throws an internal error when the shapes differ.
StridedLoop make_strided_loop(const Tensor* const* tensors, int count);

inline constexpr int64_t kElementwiseGrain = 16384;

}  // namespace detail

/// out[i] = f(in[i]...) for every index i, in parallel; all tensors have the same shape (expand
/// broadcast operands first, a stride of 0 repeats). `f` takes the input element types by value.
/// Out-of-order safe: each element is computed once, so the bits do not depend on threads; `out`
/// may be one of the inputs.
template <typename Out, typename... In, typename F, typename... Inputs>
void elementwise(const Tensor& out, F f, const Inputs&... inputs) {
  static_assert(sizeof...(In) == sizeof...(Inputs), "one element type per input");
  constexpr int kCount = 1 + static_cast<int>(sizeof...(In));
  if (out.numel() == 0) return;
  const std::array<const Tensor*, kCount> tensors{&out, &inputs...};
  const detail::StridedLoop loop = detail::make_strided_loop(tensors.data(), kCount);
  [&]<size_t... I>(std::index_sequence<I...>) {
    Out* const out_data = out.data<Out>();
    const std::tuple<const In*...> in_data{inputs.template data<In>()...};
    bool unit = loop.inner_stride(0) == 1;
    ((unit = unit && loop.inner_stride(static_cast<int>(I) + 1) == 1), ...);
    const int64_t inner = loop.inner_size();
    parallel_for(out.numel(), detail::kElementwiseGrain, [&](int64_t first, int64_t last) {
      for (int64_t index = first; index < last;) {
        const int64_t count = std::min(inner - index % inner, last - index);
        Out* const y = out_data + loop.offset(0, index);
        const std::tuple<const In*...> x{std::get<I>(in_data) +
                                         loop.offset(static_cast<int>(I) + 1, index)...};
        if (unit) {
          for (int64_t i = 0; i < count; ++i) y[i] = f(std::get<I>(x)[i]...);
        } else {
          const int64_t out_stride = loop.inner_stride(0);
          [[maybe_unused]] const std::array<int64_t, sizeof...(In)> in_strides{
              loop.inner_stride(static_cast<int>(I) + 1)...};
          for (int64_t i = 0; i < count; ++i) {
            y[i * out_stride] = f(std::get<I>(x)[i * in_strides[I]]...);
          }
        }
        index += count;
      }
    });
  }
  (std::index_sequence_for<In...>{});
}

}  // namespace diagrad
