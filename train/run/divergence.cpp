#include "diagrad/train/run/divergence.h"

#include <fmt/format.h>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/train/run/checkpoint.h"

namespace diagrad::train {

void NonFiniteFinder::on_forward(const autograd::OpInfo& op, std::span<const Tensor> /*inputs*/,
                                 std::span<const Tensor> outputs) {
  look(op, outputs, "forward", "output");
}

void NonFiniteFinder::on_backward(const autograd::OpInfo& op, std::span<const Tensor> gradients) {
  look(op, gradients, "backward", "gradient");
}

void NonFiniteFinder::look(const autograd::OpInfo& op, std::span<const Tensor> tensors,
                           const char* direction, const char* what) {
  if (!found_.empty()) return;
  for (const Tensor& tensor : tensors) {
    if (!tensor.defined() || is_finite(tensor)) continue;
    found_ =
        fmt::format("{}, {}, {} {} {}", op.name, direction, what, tensor.dtype(), tensor.shape());
    const autograd::CallLabel& call = autograd::current_call();
    if (call.defined()) found_ += fmt::format(", call {} of {}", call.call, *call.unit);
    return;
  }
}

}  // namespace diagrad::train
