#include "diagrad/ops/cpu/conv/convolution.h"

#include <type_traits>

#include "diagrad/core/math_mode.h"
#include "diagrad/ops/cpu/conv/direct_products.h"
#include "diagrad/ops/cpu/conv/weight_gradient.h"
#include "diagrad/ops/cpu/conv/winograd.h"
#include "diagrad/ops/cpu/gemm/gemm.h"

namespace diagrad::kernels {

template <typename T>
void convolve(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  if constexpr (std::is_same_v<T, float>) {
    if (math_mode() == MathMode::fast && should_use_winograd(g)) {
      return winograd_convolve(g, x, w, bias, y);
    }
  }
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = g.out_pixels();
    product.n = g.out_channels;
    product.k = product.a_stride = product.b_stride = g.in_channels;
    product.a = x;
    product.b = w;
    product.transpose_b = true;
    product.bias = bias;
    product.c = y;
    product.c_stride = g.out_channels;
    return gemm(product);
  }
  direct_convolve(g, x, w, bias, y);
}

template <typename T>
void convolve_input_gradient(const ConvGeometry& g, const T* dy, const T* w, T* dx,
                             bool accumulate) {
  if constexpr (std::is_same_v<T, float>) {
    if (math_mode() == MathMode::fast && winograd_input_gradient_gains(g)) {
      return winograd_input_gradient(g, dy, w, dx, accumulate);
    }
  }
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = g.out_pixels();
    product.n = product.b_stride = product.c_stride = g.in_channels;
    product.k = product.a_stride = g.out_channels;
    product.a = dy;
    product.b = w;
    product.c = dx;
    product.accumulate = accumulate;
    return gemm(product);
  }
  direct_input_gradient(g, dy, w, dx, accumulate);
}

template <typename T>
void convolve_weight_gradient(const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  if constexpr (std::is_same_v<T, float>) {
    if (math_mode() == MathMode::fast && winograd_weight_gradient_gains(g)) {
      return winograd_weight_gradient(g, x, dy, dw);
    }
  }
  if (g.is_pointwise()) {
    Gemm<T> product;
    product.m = product.a_stride = g.out_channels;
    product.n = product.b_stride = product.c_stride = g.in_channels;
    product.k = g.out_pixels();
    product.a = dy;
    product.transpose_a = true;
    product.b = x;
    product.c = dw;
    return gemm(product);
  }
  if (g.is_depthwise()) return depthwise_weight_gradient(g, x, dy, dw);
  direct_weight_gradient(g, x, dy, dw);
}

template void convolve<float>(const ConvGeometry&, const float*, const float*, const float*,
                              float*);
template void convolve<double>(const ConvGeometry&, const double*, const double*, const double*,
                               double*);
template void convolve_input_gradient<float>(const ConvGeometry&, const float*, const float*,
                                             float*, bool);
template void convolve_input_gradient<double>(const ConvGeometry&, const double*, const double*,
                                              double*, bool);
template void convolve_weight_gradient<float>(const ConvGeometry&, const float*, const float*,
                                              float*);
template void convolve_weight_gradient<double>(const ConvGeometry&, const double*, const double*,
                                               double*);

}  // namespace diagrad::kernels
