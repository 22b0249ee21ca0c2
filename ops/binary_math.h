#pragma once

#include "diagrad/core/host_device.h"

namespace diagrad {

enum class BinaryFunction { add, sub, mul, div };

namespace binary {

struct Add {
  template <typename T>
  DG_HOST_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

struct Sub {
  template <typename T>
  DG_HOST_DEVICE T operator()(T a, T b) const {
    return a - b;
  }
};

struct Mul {
  template <typename T>
  DG_HOST_DEVICE T operator()(T a, T b) const {
    return a * b;
  }
};

struct Div {
  template <typename T>
  DG_HOST_DEVICE T operator()(T a, T b) const {
    return a / b;
  }
};

/// Calls `body` with the functor of `function`.
template <typename Body>
decltype(auto) visit(BinaryFunction function, Body&& body) {
  switch (function) {
    case BinaryFunction::add:
      return body(Add{});
    case BinaryFunction::sub:
      return body(Sub{});
    case BinaryFunction::mul:
      return body(Mul{});
    case BinaryFunction::div:
      break;
  }
  return body(Div{});
}

}  // namespace binary
}  // namespace diagrad
