#pragma once

#include <cmath>
#include <cstdint>

#include "diagrad/core/host_device.h"
#include "diagrad/ops/multi_tensor.h"

namespace diagrad {

/// Stochastic gradient descent with momentum m and weight decay w, as PyTorch's SGD:
/// g' = s g + w p;  b = m b + g';  p -= lr (nesterov ? g' + m b : b).
/// s scales the gradient (clipping). The buffer b starts at zero.
template <typename T>
struct SgdUpdate {
  T lr, momentum, weight_decay, scale;
  bool nesterov;

  explicit SgdUpdate(const SgdHyperparameters& values)
      : lr(static_cast<T>(values.lr)),
        momentum(static_cast<T>(values.momentum)),
        weight_decay(static_cast<T>(values.weight_decay)),
        scale(static_cast<T>(values.gradient_scale)),
        nesterov(values.nesterov) {}

  DG_HOST_DEVICE void operator()(T& p, T g, T& b) const {
    const T step = scale * g + weight_decay * p;
    b = momentum * b + step;
    p -= lr * (nesterov ? step + momentum * b : b);
  }
  /// Without momentum there is no buffer.
  DG_HOST_DEVICE void operator()(T& p, T g) const { p -= lr * (scale * g + weight_decay * p); }
};

/// What an AdamW step number t changes of the update.
struct AdamwBiasCorrection {
  double step_size;     ///< lr / (1 - beta1^t)
  double root_inverse;  ///< 1 / sqrt(1 - beta2^t)
  double decay;         ///< of the parameter, in units of the step size: w (1 - beta1^t)

  AdamwBiasCorrection(const AdamwHyperparameters& values, int64_t t) {
    const double first = 1.0 - std::pow(values.beta1, static_cast<double>(t));
    const double second = 1.0 - std::pow(values.beta2, static_cast<double>(t));
    step_size = values.lr / first;
    root_inverse = 1.0 / std::sqrt(second);
    decay = values.weight_decay * first;
  }
};

/// Adam with decoupled weight decay w (Loshchilov and Hutter 2019), as PyTorch's AdamW, at its t-th
/// step: m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2;
/// p -= lr w p + lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
/// The factors are computed in double and then rounded to T: 1 - beta of a rounded beta near 1 has
/// few digits left in f32, and a factor 1 - lr w few digits of lr w.
template <typename T>
struct AdamwUpdate {
  T step_size, root_inverse, decay;
  T rate1, rate2;  ///< 1 - beta1, 1 - beta2
  T beta2, epsilon, scale;

  AdamwUpdate(const AdamwHyperparameters& values, const AdamwBiasCorrection& correction)
      : step_size(static_cast<T>(correction.step_size)),
        root_inverse(static_cast<T>(correction.root_inverse)),
        decay(static_cast<T>(correction.decay)),
        rate1(static_cast<T>(1.0 - values.beta1)),
        rate2(static_cast<T>(1.0 - values.beta2)),
        beta2(static_cast<T>(values.beta2)),
        epsilon(static_cast<T>(values.epsilon)),
        scale(static_cast<T>(values.gradient_scale)) {}

  DG_HOST_DEVICE void operator()(T& p, T g, T& m, T& v) const {
    using std::sqrt;
    g *= scale;
    m += rate1 * (g - m);
    v = beta2 * v + rate2 * g * g;
    p -= step_size * (m / (sqrt(v) * root_inverse + epsilon) + decay * p);
  }
};

}  // namespace diagrad
