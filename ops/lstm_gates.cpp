#include "diagrad/ops/lstm_gates.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/lstm_gates_kernels.h"

namespace diagrad {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

LstmState lstm_gates(const Tensor& u, const Tensor& c_prev, const LstmGatesOptions& options) {
  DG_CHECK(u.rank() == 2 && c_prev.rank() == 2 && u.size(0) == c_prev.size(0) &&
               u.size(1) == 4 * c_prev.size(1),
           "lstm_gates: expected pre-activations [B,4C] and cell state [B,C], got {} and {}",
           u.shape(), c_prev.shape());
  DG_CHECK(u.dtype() == c_prev.dtype(),
           "lstm_gates: pre-activations are {} but the cell state is {}; convert with to() so that "
           "they agree",
           u.dtype(), c_prev.dtype());
  const Tensor previous = c_prev.contiguous();
  const Tensor c = Tensor::empty_like(previous);
  const Tensor h = Tensor::empty_like(previous);
  const Tensor gates = autograd::records({u, c_prev}) ? Tensor::empty_like(u) : Tensor();
  lstm_gates_forward_kernel.on(u.device())({u.contiguous(), previous, options.output, gates, c, h});
  const std::vector<Tensor> inputs{u, c_prev};
  const std::vector<Tensor> outputs = autograd::record(
      {"lstm_gates"}, inputs, std::vector<Tensor>{h, c},
      [=, output = options.output, gates = SavedTensor(gates), previous = SavedTensor(previous),
       c = SavedTensor(c)](const BackwardContext& context) {
        LstmGatesBackward pass;
        pass.gates = gates.get(context);
        pass.c_prev = previous.get(context);
        pass.c = c.get(context);
        pass.output = output;
        if (context.has_gradient(0)) pass.dh = context.gradient(0).contiguous();
        if (context.has_gradient(1)) pass.dc = context.gradient(1).contiguous();
        if (context.needs(0)) pass.du = Tensor::empty_like(pass.gates);
        if (context.needs(1)) pass.dc_prev = Tensor::empty_like(pass.c);
        lstm_gates_backward_kernel.on(pass.c.device())(pass);
        return Gradients{pass.du, pass.dc_prev};
      });
  return {outputs[0], outputs[1]};
}
}  // namespace diagrad
