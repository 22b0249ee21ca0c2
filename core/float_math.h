#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "diagrad/core/host_device.h"

namespace diagrad {

/// The functions below take one float, a vector of floats (with core/vector_math.h) or one double.
/// The float forms have no branches, calls or tables: every lane of a vector gets the bits that it
/// would get alone, limits and NaN are kept, and subnormal numbers count. Largest error over all
/// floats, in units of the last place of the exact result, with fused multiply-adds and without:
///
///     exp 0.90 0.90   log 0.86 0.88   sigmoid 1.39 1.39   tanh 1.43 1.43
///     absolute, in units of 2^-24:   normal cdf 1.35 1.47   normal density 0.73 0.82
///
/// How, and how that was found: docs/notes/float_math.md. The double forms are the library's.
/// Polynomials: scripts/minimax.py.

namespace detail {

/// The unsigned integers with the bits of F.
template <typename F>
struct WordOf;
template <>
struct WordOf<float> {
  using type = uint32_t;
};
template <typename F>
using Word = typename WordOf<F>::type;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename F>
DG_HOST_DEVICE inline F filled(float value) {
  return F{} + value;
}

/// c0 + c1 x + c2 x^2 + ...
template <typename F>
DG_HOST_DEVICE inline F polynomial(F /*x*/, float constant) {
  return filled<F>(constant);
}
template <typename F, typename... Rest>
DG_HOST_DEVICE inline F polynomial(F x, float constant, Rest... rest) {
  return polynomial(x, rest...) * x + constant;
}

template <typename F>
DG_HOST_DEVICE inline F magnitude(F x) {
  return std::bit_cast<F>(std::bit_cast<Word<F>>(x) & 0x7fffffffU);
}

/// `positive`, which has no sign, with the sign of x.
template <typename F>
DG_HOST_DEVICE inline F with_sign(F positive, F x) {
  return std::bit_cast<F>(std::bit_cast<Word<F>>(positive) |
                          (std::bit_cast<Word<F>>(x) & 0x80000000U));
}

/// e^x = 2^k (1 + rest), |rest| < 0.42, |k| < 512.
template <typename F>
struct ExpParts {
  Word<F> biased;  ///< k + 512
  F rest;

  /// For |x| < 300: k is the whole number nearest to x / ln 2, and e^r of what remains of x, which
  /// two steps keep exact, is a polynomial. NaN makes a NaN of the rest.
  DG_HOST_DEVICE explicit ExpParts(F x) {
    constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves a whole number
    constexpr float kLog2Head = 0.693145752F;
    constexpr float kLog2Tail = 1.42860682e-6F;
    const F rounded = x * 1.44269504F + kRound;
    const F whole = rounded - kRound;
    const F head = x - whole * kLog2Head;
    const F tail = whole * kLog2Tail;
    const F r = head - tail;
    biased = std::bit_cast<Word<F>>(rounded) - (std::bit_cast<uint32_t>(kRound) - 512U);
    rest = head + (r * r *
                       polynomial(r, 0.49999994F, 0.166665167F, 0.0416681021F, 0.00836919248F,
                                  0.0013838904F) -
                   tail);
  }

  /// 2^k x, in two steps: 2^k alone may overflow or be subnormal.
  DG_HOST_DEVICE F scaled(F x) const {
    const Word<F> half = biased >> 1;
    return x * std::bit_cast<F>((half - 129U) << 23) *
           std::bit_cast<F>((biased - half - 129U) << 23);
  }
  /// e^x where it is a normal number.
  DG_HOST_DEVICE F normal_value() const {
    return (1.0F + rest) * std::bit_cast<F>((biased - 385U) << 23);
  }
};

}  // namespace detail

/// e^x.
template <typename F>
DG_HOST_DEVICE inline F exp_of(F x) {
  x = x < -104.0F ? detail::filled<F>(-104.0F) : x;
  x = x > 89.0F ? detail::filled<F>(89.0F) : x;
  const detail::ExpParts<F> parts(x);
  return parts.scaled(1.0F + parts.rest);
}

/// e^x for x <= 0 with fewer steps than exp_of, and its bits down to -87; 0 below, where e^x is
/// hardly a normal number any more.
template <typename F>
DG_HOST_DEVICE inline F exp_of_negative(F x) {
  return x < -87.0F ? F{} : detail::ExpParts<F>(x).normal_value();
}

/// The natural logarithm: -infinity at 0, NaN below. x = 2^k (1 + f) with |f| <= 1/3, and
/// log(1 + f) = f - f^2 / 2 + f^3 P(f); the rounding of k ln 2 + f is added back.
template <typename F>
DG_HOST_DEVICE inline F log_of(F x) {
  using Word = detail::Word<F>;
  constexpr float kLog2Head = 0.693145752F;  // with few bits: k times it is exact
  constexpr float kLog2Tail = 1.42860682e-6F;
  constexpr float kSmallestNormal = std::numeric_limits<float>::min();
  const F normal = x < kSmallestNormal ? x * 8388608.0F : x;
  // Off by 1 - 2/3, the exponent grows where the mantissa passes 4/3.
  const Word shifted = std::bit_cast<Word>(normal) + 0x00555555U;
  const F f = std::bit_cast<F>((shifted & 0x007fffffU) + 0x3f2aaaabU) - 1.0F;
  F k = std::bit_cast<F>((shifted >> 23) | 0x4b000000U) - (8388608.0F + 127.0F);
  k = x < kSmallestNormal ? k - 23.0F : k;
  const F square = f * f;
  const F cubic = f * square *
                  detail::polynomial(f, 0.333332151F, -0.249997973F, 0.200104192F, -0.166805059F,
                                     0.140056312F, -0.121839799F, 0.139857262F, -0.12893039F);
  const F head = k * kLog2Head;
  const F sum = head + f;
  const F lost = (head - sum) + f;
  const F y = sum + (lost - ((0.5F * square - cubic) - k * kLog2Tail));
  const F above = x > std::numeric_limits<float>::max() ? x : y;
  const F at_zero =
      x < 0.0F ? detail::filled<F>(std::numeric_limits<float>::quiet_NaN()) : x - detail::kInfinity;
  return x > 0.0F ? above : at_zero;
}

/// log(1 + x) for 0 <= x <= 1, as 2 artanh(s) with s = x / (2 + x); within 2 units.
template <typename F>
DG_HOST_DEVICE inline F log1p_of(F x) {
  const F s = x / (2.0F + x);
  const F square = s * s;
  const F series =
      detail::polynomial(square, 0.333332092F, 0.200107276F, 0.140012652F, 0.140049979F);
  return 2.0F * (s + s * square * series);
}

/// 1 / (1 + e^-x), from e = e^-|x|, which does not overflow. What e and 1 + e lost in rounding is
/// given back in first order; 1 over that sum is the result itself, or 1 less it.
template <typename F>
DG_HOST_DEVICE inline F sigmoid_of(F x) {
  F a = detail::magnitude(x);
  a = a > 104.0F ? detail::filled<F>(104.0F) : a;
  const detail::ExpParts<F> parts(-a);
  const F mantissa = 1.0F + parts.rest;
  const F lost_of_power = ((1.0F - mantissa) + parts.rest) * (2.0F - mantissa);  // relative
  const F power = parts.scaled(mantissa);
  const F sum = 1.0F + power;
  const F lost_of_sum = (1.0F - sum) + power;
  const F y = (x < 0.0F ? power : detail::filled<F>(1.0F)) / sum;
  const F back = x < 0.0F ? (lost_of_power - lost_of_sum) * (1.0F - y) : -(lost_of_sum * y);
  return y + y * back;
}

/// 1 - 2 / (e^2a + 1) of a = |x|, and below 0.55, where that would cancel, a polynomial.
template <typename F>
DG_HOST_DEVICE inline F tanh_of(F x) {
  F a = detail::magnitude(x);
  a = a > 10.0F ? detail::filled<F>(10.0F) : a;
  const F square = a * a;
  const F small =
      a + a * (square * detail::polynomial(square, -0.333332986F, 0.133319363F, -0.0537847169F,
                                           0.0207986254F, -0.00589796621F));
  const F large = 1.0F - 2.0F / (detail::ExpParts<F>(2.0F * a).normal_value() + 1.0F);
  return detail::with_sign(a < 0.55F ? small : large, x);
}

/// The standard normal distribution at x: cdf = (1 + erf(x / sqrt(2))) / 2 and
/// density = e^(-x^2 / 2) / sqrt(2 pi).
template <typename F>
struct Normal {
  F cdf;
  F density;
};

constexpr double kNormalDensityAtZero = 0.39894228040143267794;

/// Of a = |x|: e^(-a^2 / 2) = 2^-m e^(-r / 2), with the polynomial of ExpParts, and the cdf of -a
/// is that times a polynomial of a, which needs to be only as exact as the power is small. Both are
/// 0 from 13.27 on.
template <typename F>
DG_HOST_DEVICE inline Normal<F> normal_of(F x) {
  using Word = detail::Word<F>;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves a whole number
  constexpr float kTwiceLog2 = 1.38629436F;
  F a = detail::magnitude(x);
  a = a > 13.27F ? detail::filled<F>(13.27F) : a;
  const F square = a * a;
  const F rounded = square * (1.0F / kTwiceLog2) + kRound;
  const F r = square - (rounded - kRound) * kTwiceLog2;
  const F mantissa = detail::polynomial(r, 1.0F, -0.5F, 0.124999985F, -0.0208331458F,
                                        0.00260425638F, -0.000261537265F, 2.16232871e-5F);
  const Word m = std::bit_cast<Word>(rounded) - std::bit_cast<uint32_t>(kRound);
  const F power = mantissa * std::bit_cast<F>((127U - m) << 23);  // m = 127 at the end: 0
  const F b = a > 5.5F ? detail::filled<F>(5.5F) : a;
  const F tail =
      power * detail::polynomial(b, 0.5F, -0.398941964F, 0.249992847F, -0.132924914F, 0.0622824319F,
                                 -0.0260994285F, 0.00968899578F, -0.00307390536F, 0.000787505182F,
                                 -0.000151957574F, 2.02694591e-5F, -1.64082826e-6F, 6.0119639e-8F);
  return {x < 0.0F ? tail : 1.0F - tail, power * static_cast<float>(kNormalDensityAtZero)};
}

DG_HOST_DEVICE inline double exp_of(double x) {
  return std::exp(x);
}
DG_HOST_DEVICE inline double exp_of_negative(double x) {
  return std::exp(x);
}
DG_HOST_DEVICE inline double log_of(double x) {
  return std::log(x);
}
DG_HOST_DEVICE inline double log1p_of(double x) {
  return std::log1p(x);
}
DG_HOST_DEVICE inline double sigmoid_of(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
DG_HOST_DEVICE inline double tanh_of(double x) {
  return std::tanh(x);
}
DG_HOST_DEVICE inline Normal<double> normal_of(double x) {
  return {0.5 * (1.0 + std::erf(x * 0.70710678118654752440)),
          kNormalDensityAtZero * std::exp(-0.5 * x * x)};
}

}  // namespace diagrad
