#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// The nonlinearity between the cell state and the output gate.
enum class GateOutput { sigmoid, tanh, relu };

struct LstmGatesOptions {
  GateOutput output = GateOutput::sigmoid;
};

struct LstmState {
  Tensor h, c;
};

/// One step of an LSTM cell from its pre-activations u [B,4C], whose slices of length C are input
/// i, forget f, candidate g and output o, and the previous cell state c_prev [B,C]:
///
///   c = sigmoid(u_f) * c_prev + sigmoid(u_i) * tanh(u_g)
///   h = sigmoid(u_o) * output(c)
///
/// output = sigmoid is the DIA-LSTM cell, tanh the textbook one. Saves the four gates, c_prev and
/// c. Derivative: docs/notes/lstm_gates.md. Throws for shapes and dtypes that do not fit.
/// Source: Huang et al., "DIANet", AAAI 2020 (models/cifar/dia_resnet.py of the authors' code);
/// Hochreiter and Schmidhuber, "Long short-term memory", 1997.
LstmState lstm_gates(const Tensor& u, const Tensor& c_prev, const LstmGatesOptions& options = {});

}  // namespace diagrad
