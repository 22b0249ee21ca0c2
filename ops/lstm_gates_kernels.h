#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/lstm_gates.h"

namespace diagrad {

/// All contiguous. `gates` [B,4C] receives the activated i, f, g, o, and may be u; undefined where
/// not needed.
struct LstmGatesForward {
  Tensor u, c_prev;
  GateOutput output;
  Tensor gates, c, h;
};
inline KernelTable<void(const LstmGatesForward&)> lstm_gates_forward_kernel{"lstm_gates"};

/// dh or dc may be undefined: zero. du or dc_prev may be undefined: not needed.
struct LstmGatesBackward {
  Tensor gates, c_prev, c, dh, dc;
  GateOutput output;
  Tensor du, dc_prev;
};
inline KernelTable<void(const LstmGatesBackward&)> lstm_gates_backward_kernel{
    "lstm_gates backward"};

}  // namespace diagrad
