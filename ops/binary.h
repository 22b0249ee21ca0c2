#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Arithmetic, element by element, f32 or f64. Shapes broadcast by NumPy's rules (through expand);
/// dtypes must agree: there is no silent promotion (use cast). Throws for shapes that do not
/// broadcast and dtypes that differ.

Tensor add(const Tensor& a, const Tensor& b);  ///< a + b, saves nothing
Tensor sub(const Tensor& a, const Tensor& b);  ///< a - b, saves nothing
Tensor mul(const Tensor& a, const Tensor& b);  ///< a b; da = dy b, db = dy a; saves both
Tensor div(const Tensor& a, const Tensor& b);  ///< a / b; da = dy / b, db = -dy y / b; saves y, b

/// With a number, rounded to the dtype of a first. They save nothing.

Tensor add(const Tensor& a, double b);  ///< a + b, recorded as affine
Tensor sub(const Tensor& a, double b);  ///< a - b, recorded as affine
Tensor mul(const Tensor& a, double b);  ///< a b, recorded as affine
Tensor div(const Tensor& a, double b);  ///< a / b, da = dy / b

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return sub(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return mul(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return div(a, b);
}
inline Tensor operator+(const Tensor& a, double b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, double b) {
  return sub(a, b);
}
inline Tensor operator*(const Tensor& a, double b) {
  return mul(a, b);
}
inline Tensor operator/(const Tensor& a, double b) {
  return div(a, b);
}
inline Tensor operator+(double a, const Tensor& b) {
  return add(b, a);
}
inline Tensor operator*(double a, const Tensor& b) {
  return mul(b, a);
}
Tensor operator-(double a, const Tensor& b);
Tensor operator-(const Tensor& a);

}  // namespace diagrad
