#include "diagrad/ops/dropout.h"

#include <cmath>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/dropout_kernels.h"

namespace diagrad {

DropoutMask dropout_mask(const char* op, const DropoutOptions& options) {
  DG_CHECK(options.p >= 0.0 && options.p <= 1.0, "{}: probability {} is outside [0, 1]", op,
           options.p);
  DropoutMask mask;
  mask.seed = options.seed;
  mask.stream = options.stream;
  mask.threshold = static_cast<uint64_t>(std::llround(options.p * 0x1p32));
  mask.scale = options.p < 1.0 ? 1.0 / (1.0 - options.p) : 0.0;
  return mask;
}

namespace {

template <typename Table>
Tensor masked(const char* op, const Table& kernel, const DropoutMask& mask, const Tensor& x) {
  const Tensor y = Tensor::empty_like(x);
  kernel.on(x.device())(mask, x.contiguous(), y);
  return autograd::record({op}, {x}, y, [&kernel, mask](const autograd::BackwardContext& context) {
    const Tensor dy = context.gradient().contiguous();
    const Tensor dx = Tensor::empty_like(dy);
    kernel.on(dy.device())(mask, dy, dx);
    return autograd::Gradients{dx};
  });
}

}  // namespace

Tensor dropout(const Tensor& x, const DropoutOptions& options) {
  return masked("dropout", dropout_kernel, dropout_mask("dropout", options), x);
}

Tensor drop_path(const Tensor& x, const DropoutOptions& options) {
  DG_CHECK(x.rank() >= 1, "drop_path: expected input [B,...], got {}", x.shape());
  return masked("drop_path", drop_path_kernel, dropout_mask("drop_path", options), x);
}

}  // namespace diagrad
