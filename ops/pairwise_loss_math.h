#pragma once

#include <cmath>

#include "diagrad/core/host_device.h"
#include "diagrad/ops/exp_math.h"

namespace diagrad {

/// (x - y)^2.
struct SquaredError {
  template <typename T>
  static DG_HOST_DEVICE T value(T x, T y) {
    return (x - y) * (x - y);
  }
  template <typename T>
  static DG_HOST_DEVICE T dx(T x, T y) {
    return T(2) * (x - y);
  }
  template <typename T>
  static DG_HOST_DEVICE T dy(T x, T y) {
    return T(2) * (y - x);
  }
};

/// -y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)).
struct LogisticLoss {
  template <typename T>
  static DG_HOST_DEVICE T value(T x, T y) {
    using std::fabs;
    return (x > T(0) ? x : T(0)) - x * y + log1p_of(exp_of(-fabs(x)));
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
