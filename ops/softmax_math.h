#pragma once

#include "diagrad/core/float_math.h"

namespace diagrad {

/// The formulas of softmax and log_softmax for one value; V is a float, a double or a vector of
/// floats. With e = exp(x - largest of the row), y = value(x - largest, e, normaliser(sum of e));
/// with e = exp(y), which only some rules need, dx = gradient(y, e, dy, sum of summand(y, dy)).
struct SoftmaxRule {
  static constexpr bool kBackwardNeedsPower = false;
  template <typename V>
  static DG_HOST_DEVICE V normaliser(V sum) {
    return 1.0F / sum;
  }
  template <typename T>
  static DG_HOST_DEVICE T value(T /*shifted*/, T e, T inverse) {
    return e * inverse;
  }
  template <typename T>
  static DG_HOST_DEVICE T summand(T y, T dy) {
    return y * dy;
  }
  template <typename T>
  static DG_HOST_DEVICE T gradient(T y, T /*e*/, T dy, T sum) {
    return y * (dy - sum);
  }
};

struct LogSoftmaxRule {
  static constexpr bool kBackwardNeedsPower = true;
  template <typename V>
  static DG_HOST_DEVICE V normaliser(V sum) {
    return log_of(sum);
  }
  template <typename T>
  static DG_HOST_DEVICE T value(T shifted, T /*e*/, T log_sum) {
    return shifted - log_sum;
  }
  template <typename T>
  static DG_HOST_DEVICE T summand(T /*y*/, T dy) {
    return dy;
  }
  template <typename T>
  static DG_HOST_DEVICE T gradient(T /*y*/, T e, T dy, T sum) {
    return dy - e * sum;
  }
};

}  // namespace diagrad
