#pragma once

#include "diagrad/core/float_math.h"
#include "diagrad/ops/lstm_gates.h"

namespace diagrad {

/// The output nonlinearity, and the gradient of its input c from that of its value. Here and below
/// T is a float, a double or a vector of floats.
template <GateOutput kind, typename T>
DG_HOST_DEVICE inline T gate_output(T c) {
  if constexpr (kind == GateOutput::sigmoid) return sigmoid_of(c);
  if constexpr (kind == GateOutput::tanh) return tanh_of(c);
  if constexpr (kind == GateOutput::relu) return c < 0.0F ? T{} : c;
}

template <GateOutput kind, typename T>
DG_HOST_DEVICE inline T gate_output_gradient(T c, T value, T dvalue) {
  if constexpr (kind == GateOutput::sigmoid) return dvalue * (value * (1.0F - value));
  if constexpr (kind == GateOutput::tanh) return dvalue * (1.0F - value * value);
  if constexpr (kind == GateOutput::relu) return c <= 0.0F ? T{} : dvalue;
}

/// One element of the cell: pre-activations to gates, and (c, h).
template <GateOutput kind, typename T>
struct LstmGatesElement {
  T i, f, g, o, c, h;

  DG_HOST_DEVICE LstmGatesElement(T u_i, T u_f, T u_g, T u_o, T c_prev)
      : i(sigmoid_of(u_i)),
        f(sigmoid_of(u_f)),
        g(tanh_of(u_g)),
        o(sigmoid_of(u_o)),
        c(f * c_prev + i * g),
        h(o * gate_output<kind>(c)) {}
};

/// The gradients of one element; see docs/notes/lstm_gates.md.
template <GateOutput kind, typename T>
struct LstmGatesGradient {
  T u_i, u_f, u_g, u_o, c_prev;

  DG_HOST_DEVICE LstmGatesGradient(T i, T f, T g, T o, T c, T previous, T dh, T dc) {
    const T value = gate_output<kind>(c);
    const T total = dc + gate_output_gradient<kind>(c, value, dh * o);
    u_i = total * g * i * (1.0F - i);
    u_f = total * previous * f * (1.0F - f);
    u_g = total * i * (1.0F - g * g);
    u_o = dh * value * o * (1.0F - o);
    c_prev = total * f;
  }
};

}  // namespace diagrad
