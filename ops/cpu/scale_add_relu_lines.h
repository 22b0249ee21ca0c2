#pragma once

#include <cstdint>

namespace diagrad::kernels {

// The inner loops of bn_scale_add_relu, over lines with coefficients per value.

/// z = relu((x - pivot) * scale + shift + residual).
template <typename T>
void scale_add_relu_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
                         const T* __restrict scale, const T* __restrict shift,
                         const T* __restrict residual, T* __restrict z) {
  for (int64_t i = 0; i < width; ++i) {
    const T value = (x[i] - pivot[i]) * scale[i] + shift[i] + residual[i];
    z[i] = value < T(0) ? T(0) : value;
  }
}

/// du = 0 where z <= 0, else dz (NaN passes the gradient, as in relu); adds du to sum_du and du *
/// (x - pivot) to sum_dux.
template <typename T>
void mask_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
               const T* __restrict z, const T* __restrict dz, T* __restrict du,
               T* __restrict sum_du, T* __restrict sum_dux) {
  for (int64_t i = 0; i < width; ++i) {
    const T gradient = z[i] <= T(0) ? T(0) : dz[i];
    du[i] = gradient;
    sum_du[i] += gradient;
    sum_dux[i] += gradient * (x[i] - pivot[i]);
  }
}

/// The same where du takes the place of dz.
template <typename T>
void mask_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
               const T* __restrict z, T* __restrict du, T* __restrict sum_du,
               T* __restrict sum_dux) {
  for (int64_t i = 0; i < width; ++i) {
    const T gradient = z[i] <= T(0) ? T(0) : du[i];
    du[i] = gradient;
    sum_du[i] += gradient;
    sum_dux[i] += gradient * (x[i] - pivot[i]);
  }
}

/// dx = scale * du + (slope * (x - pivot) + shift).
template <typename T>
void scale_add_relu_gradient_line(int64_t width, const T* __restrict x, const T* __restrict pivot,
                                  const T* __restrict du, const T* __restrict scale,
                                  const T* __restrict slope, const T* __restrict shift,
                                  T* __restrict dx) {
  for (int64_t i = 0; i < width; ++i) {
    dx[i] = scale[i] * du[i] + (slope[i] * (x[i] - pivot[i]) + shift[i]);
  }
}

/// dx = scale * du + shift.
template <typename T>
void scale_shift_line(int64_t width, const T* __restrict du, const T* __restrict scale,
                      const T* __restrict shift, T* __restrict dx) {
  for (int64_t i = 0; i < width; ++i) dx[i] = scale[i] * du[i] + shift[i];
}

}  // namespace diagrad::kernels
