#pragma once

#include "diagrad/core/vector.h"

// The six-point transforms of docs/notes/winograd.md, for the points 0, +-sqrt(1/2), +-sqrt(2) and
// infinity. A line type maps kFrom values to kTo; a square is a line along each axis.

namespace diagrad::kernels {

/// Values of a polynomial product that one tile line needs: 4 outputs + 3 taps - 1.
inline constexpr int kWinogradPoints = 6;
/// Outputs of a tile along one axis.
inline constexpr int kWinogradTile = 4;
inline constexpr int kWinogradPositions = kWinogradPoints * kWinogradPoints;

template <typename S>
inline constexpr S kNearPoint = static_cast<S>(0.70710678118654752440);  ///< sqrt(1/2)
template <typename S>
inline constexpr S kFarPoint = static_cast<S>(1.41421356237309504880);  ///< sqrt(2)

/// B^T: six source pixels to the six points.
template <typename S>
struct SourceLine {
  static constexpr int kFrom = kWinogradPoints;
  static constexpr int kTo = kWinogradPoints;
  /// Points whose values together depend on every value of the line.
  static constexpr bool is_witness(int point) { return point == 0 || point == 5; }
  template <typename V>
  [[gnu::always_inline]] static inline void apply(const V (&d)[kFrom], V (&v)[kTo]) {
    const V near_even = d[4] - S(2) * d[2];
    const V near_odd = d[3] - S(2) * d[1];
    const V far_even = d[4] - S(0.5) * d[2];
    const V far_odd = d[3] - S(0.5) * d[1];
    v[0] = (d[0] + d[4]) - S(2.5) * d[2];
    v[1] = near_even + kNearPoint<S> * near_odd;
    v[2] = near_even - kNearPoint<S> * near_odd;
    v[3] = far_even + kFarPoint<S> * far_odd;
    v[4] = far_even - kFarPoint<S> * far_odd;
    v[5] = (d[1] + d[5]) - S(2.5) * d[3];
  }
};

/// A^T: the six points to four outputs.
template <typename S>
struct ResultLine {
  static constexpr int kFrom = kWinogradPoints;
  static constexpr int kTo = kWinogradTile;
  template <typename V>
  [[gnu::always_inline]] static inline void apply(const V (&m)[kFrom], V (&y)[kTo]) {
    const V near_sum = m[1] + m[2];
    const V near_difference = kNearPoint<S> * (m[1] - m[2]);
    const V far_sum = m[3] + m[4];
    const V far_difference = kFarPoint<S> * (m[3] - m[4]);
    y[0] = m[0] + (near_sum + far_sum);
    y[1] = near_difference + far_difference;
    y[2] = S(0.5) * near_sum + S(2) * far_sum;
    y[3] = S(0.5) * near_difference + (S(2) * far_difference + m[5]);
  }
};

/// A: four output gradients to the six points.
template <typename S>
struct GradientLine {
  static constexpr int kFrom = kWinogradTile;
  static constexpr int kTo = kWinogradPoints;
  static constexpr bool is_witness(int point) { return point == 1; }  ///< as in SourceLine
  template <typename V>
  [[gnu::always_inline]] static inline void apply(const V (&y)[kFrom], V (&v)[kTo]) {
    const V near_even = y[0] + S(0.5) * y[2];
    const V near_odd = y[1] + S(0.5) * y[3];
    const V far_even = y[0] + S(2) * y[2];
    const V far_odd = y[1] + S(2) * y[3];
    v[0] = y[0];
    v[1] = near_even + kNearPoint<S> * near_odd;
    v[2] = near_even - kNearPoint<S> * near_odd;
    v[3] = far_even + kFarPoint<S> * far_odd;
    v[4] = far_even - kFarPoint<S> * far_odd;
    v[5] = y[3];
  }
};

/// G: three weights to the six points.
template <typename S>
struct WeightLine {
  static constexpr int kFrom = 3;
  static constexpr int kTo = kWinogradPoints;
  template <typename V>
  [[gnu::always_inline]] static inline void apply(const V (&g)[kFrom], V (&u)[kTo]) {
    const V near_even = S(-2.0 / 3.0) * (g[0] + S(0.5) * g[2]);
    const V near_odd = S(-2.0 / 3.0) * kNearPoint<S> * g[1];
    const V far_even = S(1.0 / 6.0) * (g[0] + S(2) * g[2]);
    const V far_odd = S(1.0 / 6.0) * kFarPoint<S> * g[1];
    u[0] = g[0];
    u[1] = near_even + near_odd;
    u[2] = near_even - near_odd;
    u[3] = far_even + far_odd;
    u[4] = far_even - far_odd;
    u[5] = g[2];
  }
};

/// G^T: the six points to three weight gradients.
template <typename S>
struct WeightGradientLine {
  static constexpr int kFrom = kWinogradPoints;
  static constexpr int kTo = 3;
  template <typename V>
  [[gnu::always_inline]] static inline void apply(const V (&m)[kFrom], V (&g)[kTo]) {
    const V near_sum = S(-2.0 / 3.0) * (m[1] + m[2]);
    const V far_sum = S(1.0 / 6.0) * (m[3] + m[4]);
    g[0] = m[0] + (near_sum + far_sum);
    g[1] =
        S(-2.0 / 3.0) * kNearPoint<S> * (m[1] - m[2]) + S(1.0 / 6.0) * kFarPoint<S> * (m[3] - m[4]);
    g[2] = S(0.5) * near_sum + (S(2) * far_sum + m[5]);
  }
};

/// store(r, s, .) = the square of load(r, s): columns first, then rows.
template <typename Line, typename V, typename Load, typename Store>
[[gnu::always_inline]] inline void transform_square(const Load& load_at, const Store& store_at) {
  constexpr int kFrom = Line::kFrom;
  constexpr int kTo = Line::kTo;
  V half[kTo][kFrom];
  DG_UNROLL
  for (int s = 0; s < kFrom; ++s) {
    V from[kFrom];
    V to[kTo];
    DG_UNROLL
    for (int r = 0; r < kFrom; ++r) from[r] = load_at(r, s);
    Line::apply(from, to);
    DG_UNROLL
    for (int r = 0; r < kTo; ++r) half[r][s] = to[r];
  }
  DG_UNROLL
  for (int r = 0; r < kTo; ++r) {
    V to[kTo];
    Line::apply(half[r], to);
    DG_UNROLL
    for (int s = 0; s < kTo; ++s) store_at(r, s, to[s]);
  }
}

}  // namespace diagrad::kernels
