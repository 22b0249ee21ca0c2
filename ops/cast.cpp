#include "diagrad/ops/cast.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"

namespace diagrad {

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  DG_CHECK(is_floating(x.dtype()) && is_floating(dtype),
           "cast: from {} to {}, shape {}: both must be floating point; use Tensor::to", x.dtype(),
           dtype, x.shape());
  return autograd::record({"cast"}, {x}, x.to(dtype),
                          [before = x.dtype()](const autograd::BackwardContext& context) {
                            return autograd::Gradients{context.gradient().to(before)};
                          });
}

}  // namespace diagrad
