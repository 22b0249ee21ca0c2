#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/upsample_kernels.h"

namespace diagrad {
namespace {

/// Values that one chunk of a parallel loop should at least have.
constexpr int64_t kGrainValues = 16384;

/// Calls body(index of an image row of x) in parallel.
template <typename Body>
void for_each_row(const Tensor& x, int64_t factor, Body body) {
  if (x.numel() == 0) return;
  const int64_t work = x.size(2) * x.size(3) * factor * factor;
  parallel_for(x.size(0) * x.size(1), kGrainValues / std::max<int64_t>(work, 1),
               [&](int64_t first, int64_t last) {
                 for (int64_t row = first; row < last; ++row) body(row);
               });
}

template <typename T>
void forward(const Tensor& x, int64_t factor, const Tensor& y) {
  const int64_t width = x.size(2);
  const int64_t channels = x.size(3);
  const int64_t line = width * factor * channels;
  for_each_row(x, factor, [&](int64_t row) {
    const T* from = x.data<T>() + row * width * channels;
    T* const first = y.data<T>() + row * factor * line;
    T* to = first;
    for (int64_t w = 0; w < width; ++w, from += channels) {
      for (int64_t copy = 0; copy < factor; ++copy) to = std::copy(from, from + channels, to);
    }
    for (int64_t copy = 1; copy < factor; ++copy) {
      std::copy(first, first + line, first + copy * line);
    }
  });
}

template <typename T>
void add(int64_t count, const T* __restrict from, T* __restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

template <typename T>
void backward(const Tensor& dy, int64_t factor, const Tensor& dx) {
  const int64_t width = dx.size(2);
  const int64_t channels = dx.size(3);
  const int64_t line = width * factor * channels;
  for_each_row(dx, factor, [&](int64_t row) {
    T* const to = dx.data<T>() + row * width * channels;
    std::fill(to, to + width * channels, T(0));
    for (int64_t copy = 0; copy < factor; ++copy) {
      const T* from = dy.data<T>() + (row * factor + copy) * line;
      for (int64_t w = 0; w < width * factor; ++w, from += channels) {
        add(channels, from, to + w / factor * channels);
      }
    }
  });
}

void forward_cpu(const Tensor& x, int64_t factor, const Tensor& y) {
  dispatch_floating(x.dtype(), "upsample_nearest",
                    [&](auto tag) { forward<typename decltype(tag)::type>(x, factor, y); });
}

void backward_cpu(const Tensor& dy, int64_t factor, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "upsample_nearest backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(dy, factor, dx); });
}

[[maybe_unused]] const bool registered =
    upsample_nearest_kernel.set(DeviceType::cpu, forward_cpu) &&
    upsample_nearest_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
