#pragma once

#include "diagrad/core/tensor.h"
#include "diagrad/ops/lstm_gates.h"

namespace diagrad {

/// One side of a cell with C channels: down [m,C] with its bias [m] leads to m hidden values, up
/// [4C,m] with its bias [4C] from these to the gates.
struct DiaBottleneck {
  Tensor down, down_bias, up, up_bias;
};

/// One call of the DIA-LSTM cell as one operation: the next state lstm_gates(u, c) from an input
/// y [B,C] and the state h, c [B,C], where
///
///   u = x.up relu(x.down y + x.down_bias) + x.up_bias + h.up relu(h.down h + h.down_bias) +
///   h.up_bias
///
/// What linear, relu, add and lstm_gates give when composed, with fewer passes: the second product
/// adds to the first, the gates take its place, and gradients of weights are added to the sums of
/// other calls in place where the graph allows it. Saves y, h, c, the next c, the hidden values of
/// both sides and the gates. Throws for shapes and dtypes that do not fit.
/// Source: Huang et al., "DIANet", AAAI 2020 (models/cifar/dia_resnet.py of the authors' code).
LstmState dia_cell(const Tensor& y, const LstmState& state, const DiaBottleneck& x,
                   const DiaBottleneck& h, const LstmGatesOptions& options = {});

}  // namespace diagrad
