#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "diagrad/core/host_device.h"

namespace diagrad {

namespace detail {

/// e^x = 2^exponent * (1 + rest) with |rest| < 0.42.
struct ExpParts {
  int32_t exponent;
  float rest;
};

/// For |x| < 1e5. The exponent is the nearest whole number to x / ln 2; the rest is e^r - 1 by
/// Taylor's series to r^7, which for |r| <= ln(2) / 2 is within 6e-9 of the value.
DG_HOST_DEVICE inline ExpParts exp_parts(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves a whole number
  constexpr float kLog2Head = 0.693145752F;
  constexpr float kLog2Tail = 1.42860682e-6F;
  const float rounded = x * 1.44269504F + kRound;
  const float whole = rounded - kRound;
  const float r = (x - whole * kLog2Head) - whole * kLog2Tail;
  float series = 1.0F / 5040.0F;
  series = series * r + 1.0F / 720.0F;
  series = series * r + 1.0F / 120.0F;
  series = series * r + 1.0F / 24.0F;
  series = series * r + 1.0F / 6.0F;
  series = series * r + 0.5F;
  return {std::bit_cast<int32_t>(rounded) - std::bit_cast<int32_t>(kRound), r + r * r * series};
}

/// 2^exponent for -126 <= exponent <= 127; any value for others, which a NaN leads to.
DG_HOST_DEVICE inline float power_of_two(int32_t exponent) {
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

}  // namespace detail

/// e^x, and below sigmoid, tanh and log1p. The float forms have no branches and no calls, so that
/// loops over arrays vectorise; exp is within 1 unit in the last place, the others within 3, also
/// where the result is near 0, and limits and NaN are kept. The double forms are the library's.
DG_HOST_DEVICE inline float exp_of(float x) {
  x = x < -104.0F ? -104.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const detail::ExpParts parts = detail::exp_parts(x);
  // In two steps: 2^exponent alone may overflow or be subnormal.
  const int32_t half = parts.exponent >> 1;
  return (1.0F + parts.rest) * detail::power_of_two(half) *
         detail::power_of_two(parts.exponent - half);
}

DG_HOST_DEVICE inline double exp_of(double x) {
  return std::exp(x);
}

/// log(1 + x) for 0 <= x <= 1, as 2 artanh(x / (2 + x)) by its series, whose terms fall faster than
/// 9^-k; within 2 units in the last place.
DG_HOST_DEVICE inline float log1p_of(float x) {
  const float s = x / (2.0F + x);
  const float square = s * s;
  float series = 1.0F / 15.0F;
  series = series * square + 1.0F / 13.0F;
  series = series * square + 1.0F / 11.0F;
  series = series * square + 1.0F / 9.0F;
  series = series * square + 1.0F / 7.0F;
  series = series * square + 1.0F / 5.0F;
  series = series * square + 1.0F / 3.0F;
  return 2.0F * (s + s * square * series);
}

DG_HOST_DEVICE inline double log1p_of(double x) {
  return std::log1p(x);
}

/// 1 / (1 + e^-x).
template <typename T>
DG_HOST_DEVICE inline T sigmoid_of(T x) {
  return T(1) / (T(1) + exp_of(-x));
}

/// (e^2a - 1) / (e^2a + 1) of a = |x| with the sign of x; e^2a - 1 keeps its relative accuracy.
DG_HOST_DEVICE inline float tanh_of(float x) {
  float a = std::fabs(x);
  a = a > 10.0F ? 10.0F : a;
  const detail::ExpParts parts = detail::exp_parts(2.0F * a);
  const float power = detail::power_of_two(parts.exponent);
  const float less_one = power * parts.rest + (power - 1.0F);
  return std::copysign(less_one / (less_one + 2.0F), x);
}

DG_HOST_DEVICE inline double tanh_of(double x) {
  return std::tanh(x);
}

}  // namespace diagrad
