#pragma once

#include <cmath>

#include "diagrad/core/host_device.h"

namespace diagrad::train {

/// Stochastic gradient descent with momentum m and weight decay w, as PyTorch's SGD:
/// g' = s g + w p;  b = m b + g';  p -= lr (nesterov ? g' + m b : b).
/// s scales the gradient (clipping). The buffer b starts at zero.
template <typename T>
struct SgdUpdate {
  T lr, momentum, weight_decay, scale;
  bool nesterov;

  DG_HOST_DEVICE void operator()(T& p, T g, T& b) const {
    const T step = scale * g + weight_decay * p;
    b = momentum * b + step;
    p -= lr * (nesterov ? step + momentum * b : b);
  }
  /// Without momentum there is no buffer.
  DG_HOST_DEVICE void operator()(T& p, T g) const { p -= lr * (scale * g + weight_decay * p); }
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch's AdamW, at its t-th
/// step: p *= 1 - lr w;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2;
/// p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
template <typename T>
struct AdamwUpdate {
  T keep;        ///< 1 - lr w
  T step_size;   ///< lr / (1 - beta1^t)
  T correction;  ///< sqrt(1 - beta2^t)
  T beta1, beta2, epsilon, scale;

  DG_HOST_DEVICE void operator()(T& p, T g, T& m, T& v) const {
    using std::sqrt;
    g *= scale;
    m += (T(1) - beta1) * (g - m);
    v = beta2 * v + (T(1) - beta2) * g * g;
    p = keep * p - step_size * m / (sqrt(v) / correction + epsilon);
  }
};

}  // namespace diagrad::train
