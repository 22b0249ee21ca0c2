#include "diagrad/ops/softmax.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/softmax_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

template <typename Forward, typename Backward>
Tensor along_axis(const char* op, const Forward& forward, const Backward& backward, const Tensor& x,
                  int axis) {
  DG_CHECK(x.rank() >= 1, "{}: a scalar has no axis to sum over", op);
  const int at = normalize_axis(op, axis, x.rank());
  const SoftmaxAxis split{x.shape().numel(0, at), x.shape()[at], x.shape().numel(at + 1, x.rank())};
  const Tensor y = Tensor::empty_like(x);
  forward.on(x.device())(split, x.contiguous(), y);
  return autograd::record({op}, {x}, y,
                          [&backward, split, y = SavedTensor(y)](const BackwardContext& context) {
                            const Tensor dy = context.gradient().contiguous();
                            const Tensor dx = Tensor::empty_like(dy);
                            backward.on(dy.device())(split, y.get(context), dy, dx);
                            return Gradients{dx};
                          });
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  return along_axis("softmax", softmax_kernel, softmax_backward_kernel, x, axis);
}

Tensor log_softmax(const Tensor& x, int axis) {
  return along_axis("log_softmax", log_softmax_kernel, log_softmax_backward_kernel, x, axis);
}

}  // namespace diagrad
