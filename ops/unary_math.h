#pragma once

#include <cmath>

#include "diagrad/core/float_math.h"

namespace diagrad {

/// The functions of one variable. `a` and `b` are parameters: exponent of pow, bounds of clamp,
/// scale and shift of affine.
enum class UnaryFunction {
  neg,
  exp,
  log,
  sqrt,
  abs,
  pow,
  clamp,
  affine,
  sigmoid,
  tanh,
  relu,
  gelu,
  gelu_tanh,
  silu,
  softplus,
  hardswish
};

namespace unary {

/// What the derivative of a function is written in terms of: x, the value y, or neither.
enum class Saves { input, output, nothing };

/// Each function has its value and its derivative, whose argument is what `kSaves` names. Those
/// that are templates take T, and for T = float vectors of it, too. Where the derivative is 0 by
/// definition, gradient(argument, dy) stands in its place: it selects 0 instead of multiplying, so
/// that an infinite dy gives 0 and not NaN, as in PyTorch.
template <typename T>
struct Neg {
  static constexpr Saves kSaves = Saves::nothing;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return -x; }
  DG_HOST_DEVICE T derivative(T) const { return T(-1); }
};

template <typename T>
struct Exp {
  static constexpr Saves kSaves = Saves::output;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return exp_of(x);
  }
  DG_HOST_DEVICE T derivative(T y) const { return y; }
};

template <typename T>
struct Log {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return log_of(x);
  }
  DG_HOST_DEVICE T derivative(T x) const { return T(1) / x; }
};

template <typename T>
struct Sqrt {
  static constexpr Saves kSaves = Saves::output;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return std::sqrt(x); }
  DG_HOST_DEVICE T derivative(T y) const { return T(0.5) / y; }
};

/// The derivative is 0 at 0 and at NaN, as in PyTorch.
template <typename T>
struct Abs {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return std::abs(x); }
  DG_HOST_DEVICE T derivative(T x) const { return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0); }
};

template <typename T>
struct Pow {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return std::pow(x, a); }
  DG_HOST_DEVICE T gradient(T x, T dy) const {
    return a == T(0) ? T(0) : dy * (a * std::pow(x, a - T(1)));
  }
};

/// The derivative is 1 on the bounds themselves (docs/api.md) and 0 at NaN.
template <typename T>
struct Clamp {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return x < a ? a : x > b ? b : x; }
  DG_HOST_DEVICE T gradient(T x, T dy) const { return x >= a && x <= b ? dy : T(0); }
};

template <typename T>
struct Affine {
  static constexpr Saves kSaves = Saves::nothing;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return a * x + b; }
  DG_HOST_DEVICE T derivative(T) const { return a; }
};

template <typename T>
struct Sigmoid {
  static constexpr Saves kSaves = Saves::output;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return sigmoid_of(x);
  }
  DG_HOST_DEVICE T derivative(T y) const { return y * (T(1) - y); }
};

template <typename T>
struct Tanh {
  static constexpr Saves kSaves = Saves::output;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return tanh_of(x);
  }
  DG_HOST_DEVICE T derivative(T y) const { return T(1) - y * y; }
};

/// NaN stays NaN, and lets the gradient pass, as in PyTorch; the derivative at 0 is 0.
template <typename T>
struct Relu {
  static constexpr Saves kSaves = Saves::output;
  T a, b;
  DG_HOST_DEVICE T value(T x) const { return x < T(0) ? T(0) : x; }
  DG_HOST_DEVICE T gradient(T y, T dy) const { return y <= T(0) ? T(0) : dy; }
};

template <typename T>
struct Gelu {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return x * normal_of(x).cdf;
  }
  template <typename V>
  DG_HOST_DEVICE V derivative(V x) const {
    const auto normal = normal_of(x);
    return normal.cdf + x * normal.density;
  }
};

/// 0.5 (1 + tanh(u)) = sigmoid(2 u), which keeps its digits where tanh(u) is near -1.
template <typename T>
struct GeluTanh {
  static constexpr Saves kSaves = Saves::input;
  static constexpr T kLinear = T(1.59576912160573071176);  // 2 sqrt(2 / pi)
  static constexpr T kCubic = T(0.044715) * kLinear;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return x * sigmoid_of(x * (kLinear + kCubic * x * x));
  }
  template <typename V>
  DG_HOST_DEVICE V derivative(V x) const {
    // Bounded: s (1 - s) is 0 beyond, and no slope overflows.
    const V square = x * x > T(1e4) ? V{} + T(1e4) : x * x;
    const V s = sigmoid_of(x * (kLinear + kCubic * square));
    const V slope = kLinear + T(3) * kCubic * square;
    return s + x * (s * (T(1) - s)) * slope;
  }
};

template <typename T>
struct Silu {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    return x * sigmoid_of(x);
  }
  template <typename V>
  DG_HOST_DEVICE V derivative(V x) const {
    const V s = sigmoid_of(x);
    return s * (T(1) + x * (T(1) - s));
  }
};

/// log(1 + e^x), written so that neither branch overflows.
template <typename T>
struct Softplus {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  template <typename V>
  DG_HOST_DEVICE V value(V x) const {
    const V fallen = x < T(0) ? x : -x;
    return (x < T(0) ? V{} : x) + log1p_of(exp_of(fallen));
  }
  template <typename V>
  DG_HOST_DEVICE V derivative(V x) const {
    return sigmoid_of(x);
  }
};

template <typename T>
struct Hardswish {
  static constexpr Saves kSaves = Saves::input;
  T a, b;
  DG_HOST_DEVICE T value(T x) const {
    const T shifted = x + T(3);
    // The division first: 6 x overflows before x does.
    return x * ((shifted < T(0) ? T(0) : shifted > T(6) ? T(6) : shifted) / T(6));
  }
  DG_HOST_DEVICE T gradient(T x, T dy) const {
    return x <= T(-3) ? T(0) : x >= T(3) ? dy : dy * (x / T(3) + T(0.5));
  }
};

/// Calls `body` with the functor of `function` for element type T.
template <typename T, typename Body>
decltype(auto) visit(UnaryFunction function, double a, double b, Body&& body) {
  const T p = static_cast<T>(a);
  const T q = static_cast<T>(b);
  switch (function) {
    case UnaryFunction::neg:
      return body(Neg<T>{p, q});
    case UnaryFunction::exp:
      return body(Exp<T>{p, q});
    case UnaryFunction::log:
      return body(Log<T>{p, q});
    case UnaryFunction::sqrt:
      return body(Sqrt<T>{p, q});
    case UnaryFunction::abs:
      return body(Abs<T>{p, q});
    case UnaryFunction::pow:
      return body(Pow<T>{p, q});
    case UnaryFunction::clamp:
      return body(Clamp<T>{p, q});
    case UnaryFunction::affine:
      return body(Affine<T>{p, q});
    case UnaryFunction::sigmoid:
      return body(Sigmoid<T>{p, q});
    case UnaryFunction::tanh:
      return body(Tanh<T>{p, q});
    case UnaryFunction::relu:
      return body(Relu<T>{p, q});
    case UnaryFunction::gelu:
      return body(Gelu<T>{p, q});
    case UnaryFunction::gelu_tanh:
      return body(GeluTanh<T>{p, q});
    case UnaryFunction::silu:
      return body(Silu<T>{p, q});
    case UnaryFunction::softplus:
      return body(Softplus<T>{p, q});
    case UnaryFunction::hardswish:
      break;
  }
  return body(Hardswish<T>{p, q});
}

}  // namespace unary
}  // namespace diagrad
