#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

/// A tensor of one axis.
inline Tensor vector_of(const std::vector<double>& values, DType dtype) {
  return Tensor::from<double>(values, {static_cast<int64_t>(values.size())}).to(dtype);
}

/// The elements of a tensor in row-major order.
inline std::vector<double> values(const Tensor& x) {
  const Tensor wide = x.to(DType::f64).contiguous();
  return {wide.data<double>(), wide.data<double>() + wide.numel()};
}

/// Where `got` is not `want`, in words; empty where NaN meets NaN, infinities are equal and other
/// values differ by at most `tolerance` of the wanted.
inline std::string differences(const std::vector<double>& got, const std::vector<double>& want,
                               double tolerance = 0.0) {
  if (got.size() != want.size()) return "another number of values";
  std::string text;
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = std::isnan(want[i]) ? std::isnan(got[i])
                      : std::isinf(want[i])
                          ? got[i] == want[i]
                          : std::abs(got[i] - want[i]) <= tolerance * std::abs(want[i]);
    if (!same) {
      text += "[" + std::to_string(i) + "] is " + std::to_string(got[i]) + ", expected " +
              std::to_string(want[i]) + "; ";
    }
  }
  return text;
}

}  // namespace diagrad::testing
