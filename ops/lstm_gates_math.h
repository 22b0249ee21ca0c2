#pragma once

#include "diagrad/core/host_device.h"
#include "diagrad/ops/exp_math.h"
#include "diagrad/ops/lstm_gates.h"

namespace diagrad {

/// The output nonlinearity and its derivative in terms of input and result.
template <GateOutput kind, typename T>
DG_HOST_DEVICE inline T gate_output(T c) {
  if constexpr (kind == GateOutput::sigmoid) return sigmoid_of(c);
  if constexpr (kind == GateOutput::tanh) return tanh_of(c);
  if constexpr (kind == GateOutput::relu) return c < T(0) ? T(0) : c;
}

template <GateOutput kind, typename T>
DG_HOST_DEVICE inline T gate_output_slope(T c, T value) {
  if constexpr (kind == GateOutput::sigmoid) return value * (T(1) - value);
  if constexpr (kind == GateOutput::tanh) return T(1) - value * value;
  if constexpr (kind == GateOutput::relu) return c > T(0) ? T(1) : T(0);
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
    const T total = dc + dh * o * gate_output_slope<kind>(c, value);
    u_i = total * g * i * (T(1) - i);
    u_f = total * previous * f * (T(1) - f);
    u_g = total * i * (T(1) - g * g);
    u_o = dh * value * o * (T(1) - o);
    c_prev = total * f;
  }
};

}  // namespace diagrad
