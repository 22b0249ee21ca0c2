#pragma once

#include "diagrad/core/float_math.h"

namespace diagrad {

/// (x - y)^2. T is a float, a double or a vector of floats.
struct SquaredError {
  template <typename T>
  static DG_HOST_DEVICE T value(T x, T y) {
    return (x - y) * (x - y);
  }
  template <typename T>
  static DG_HOST_DEVICE T dx(T x, T y) {
    return 2.0F * (x - y);
  }
  template <typename T>
  static DG_HOST_DEVICE T dy(T x, T y) {
    return 2.0F * (y - x);
  }
};

/// -y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = |x| (x < 0 ? y : 1 - y) + log(1 + e^-|x|). In
/// this form an infinite x gives no difference of infinities.
struct LogisticLoss {
  template <typename T>
  static DG_HOST_DEVICE T value(T x, T y) {
    const T size = x < 0.0F ? -x : x;
    return size * (x < 0.0F ? y : 1.0F - y) + log1p_of(exp_of(-size));
  }
  template <typename T>
  static DG_HOST_DEVICE T dx(T x, T y) {
    return sigmoid_of(x) - y;
  }
  template <typename T>
  static DG_HOST_DEVICE T dy(T x, T /*y*/) {
    return -x;
  }
};

}  // namespace diagrad
