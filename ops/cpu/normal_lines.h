#pragma once

#include <cstdint>

namespace diagrad::kernels {

// The inner loops of batch_norm and group_norm, over lines with coefficients per value; see
// docs/notes/batch_norm.md. Functions of their own, because compilers vectorise loops over
// pointers that are parameters best.

/// y = (x - pivot) * scale + shift, relu on top when asked.
template <bool relu, typename T>
void forward_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
                  const T* __restrict scale, const T* __restrict shift, T* __restrict y) {
  for (int64_t i = 0; i < width; ++i) {
    const T value = (x[i] - pivot[i]) * scale[i] + shift[i];
    y[i] = relu && value < T(0) ? T(0) : value;
  }
}

/// The gradient that reaches the normalised value: dy, with relu 0 where the output is 0 or less.
/// A NaN passes the gradient, as in relu.
template <bool relu, typename T>
inline T gradient_of(T dy, T deviation, T scale, T shift) {
  return relu && deviation * scale + shift <= T(0) ? T(0) : dy;
}

/// Adds g to sum_g and g * (x - pivot) to sum_gx; scale and shift are read for relu only.
template <bool relu, typename T>
void add_gradient_line(int64_t width, const T* __restrict x, const T* __restrict dy,
                       const T* __restrict pivot, const T* __restrict scale,
                       const T* __restrict shift, T* __restrict sum_g, T* __restrict sum_gx) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - pivot[i];
    const T g = gradient_of<relu>(dy[i], deviation, scale[i], shift[i]);
    sum_g[i] += g;
    sum_gx[i] += g * deviation;
  }
}

/// dx = a * g + b * (x - pivot) + c; without `training`, where b and c are 0, dx = a * g: 0 times
/// an infinite x would be NaN.
template <bool relu, bool training, typename T>
void input_gradient_line(int64_t width, const T* __restrict x, const T* __restrict dy,
                         const T* __restrict pivot, const T* __restrict scale,
                         const T* __restrict shift, const T* __restrict a, const T* __restrict b,
                         const T* __restrict c, T* __restrict dx) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - pivot[i];
    const T g = gradient_of<relu>(dy[i], deviation, scale[i], shift[i]);
    dx[i] = training ? a[i] * g + (b[i] * deviation + c[i]) : a[i] * g;
  }
}

/// The same where dx takes the place of dy.
template <bool relu, bool training, typename T>
void input_gradient_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
                         const T* __restrict scale, const T* __restrict shift,
                         const T* __restrict a, const T* __restrict b, const T* __restrict c,
                         T* __restrict dx) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - pivot[i];
    const T g = gradient_of<relu>(dx[i], deviation, scale[i], shift[i]);
    dx[i] = training ? a[i] * g + (b[i] * deviation + c[i]) : a[i] * g;
  }
}

}  // namespace diagrad::kernels
