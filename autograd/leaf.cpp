#include "diagrad/autograd/node.h"
#include "diagrad/core/error.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

const Tensor& Tensor::set_requires_grad(bool on) const {
  if (on == requires_grad()) return *this;
  const auto producer = autograd::producer_of(*this);
  DG_CHECK(producer.node == nullptr || producer.node->is_leaf(),
           "set_requires_grad: the tensor of shape {} is the result of {}; only leaves can change "
           "(use detach())",
           shape(), producer.node->op().name);
  if (!on) {
    set_grad_meta(nullptr);
    return *this;
  }
  DG_CHECK(is_floating(dtype()),
           "set_requires_grad: only floating-point tensors have gradients, this one is {} {}",
           dtype(), shape());
  auto meta = std::make_shared<autograd::AutogradMeta>();
  meta->requires_grad = true;
  meta->producer = {
      std::make_shared<autograd::Node>(meta, autograd::TensorInfo{shape(), dtype(), device()}), 0};
  set_grad_meta(std::move(meta));
  return *this;
}

}  // namespace diagrad
