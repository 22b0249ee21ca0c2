#include "diagrad/autograd/saved_tensor.h"

#include "diagrad/autograd/observer.h"
#include "diagrad/core/error.h"

namespace diagrad::autograd {

SavedTensor::SavedTensor(const Tensor& tensor) {
  if (!tensor.defined()) return;
  tensor_ = tensor.detach();
  version_ = tensor.version();
}

const Tensor& SavedTensor::get(const BackwardContext& context) const {
  DG_CHECK(!tensor_.defined() || tensor_.version() == version_,
           "backward of {}: a tensor of shape {} it saved was changed in place since (version {}, "
           "saved at {}); change a clone() instead, or change it after backward",
           context.op_name(), tensor_.shape(), tensor_.version(), version_);
  if (OpObserver* observer = current_observer(); observer != nullptr && tensor_.defined()) {
    observer->on_saved_read(tensor_);
  }
  return tensor_;
}

}  // namespace diagrad::autograd
