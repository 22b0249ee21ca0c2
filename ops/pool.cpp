#include "diagrad/ops/pool.h"

#include <limits>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/pool_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

PoolAxis make_axis(const char* op, const char* what, int64_t input, int64_t kernel, int64_t stride,
                   int64_t padding) {
  if (stride == 0) stride = kernel;
  DG_CHECK(kernel >= 1 && stride >= 1 && padding >= 0,
           "{}: {} has kernel {}, stride {}, padding {}; kernel and stride must be at least 1 and "
           "padding at least 0",
           op, what, kernel, stride, padding);
  DG_CHECK(padding <= kernel / 2,
           "{}: {} padding {} is more than half the kernel {}, so a window could hold nothing else",
           op, what, padding, kernel);
  const int64_t least = kernel - 2 * padding;  // pixels of the image in the smallest window
  DG_CHECK(input >= 1 && least <= input,
           "{}: {} kernel {} does not fit into an image of {} with padding {}", op, what, kernel,
           input, padding);
  PoolAxis axis;
  axis.input = input;
  axis.output = (input - least) / stride + 1;
  axis.kernel = kernel;
  axis.stride = stride;
  axis.padding = padding;
  return axis;
}

PoolGeometry make_geometry(const char* op, const Tensor& x, const Pool2dOptions& options) {
  DG_CHECK(x.rank() == 4, "{}: expected images [B,H,W,C], got {}", op, x.shape());
  PoolGeometry geometry;
  geometry.h =
      make_axis(op, "height", x.size(1), options.kernel.h, options.stride.h, options.padding.h);
  geometry.w =
      make_axis(op, "width", x.size(2), options.kernel.w, options.stride.w, options.padding.w);
  int64_t places = 0;
  DG_CHECK(!__builtin_mul_overflow(geometry.h.kernel, geometry.w.kernel, &places),
           "{}: windows of {} x {} hold more than 2^63 - 1 places", op, geometry.h.kernel,
           geometry.w.kernel);
  geometry.images = x.size(0);
  geometry.channels = x.size(3);
  geometry.count_include_pad = options.count_include_pad;
  return geometry;
}

Shape input_shape(const PoolGeometry& g) {
  return {g.images, g.h.input, g.w.input, g.channels};
}

Shape output_shape(const PoolGeometry& g) {
  return {g.images, g.h.output, g.w.output, g.channels};
}

Tensor average(const char* op, const PoolGeometry& geometry, const Tensor& x) {
  const Tensor y = Tensor::empty(output_shape(geometry), x.dtype(), x.device());
  avg_pool2d_kernel.on(x.device())(geometry, x.contiguous(), y);
  return autograd::record({op}, {x}, y, [geometry](const BackwardContext& context) {
    const Tensor dy = context.gradient().contiguous();
    const Tensor dx = Tensor::empty(input_shape(geometry), dy.dtype(), dy.device());
    avg_pool2d_backward_kernel.on(dy.device())(geometry, dy, dx);
    return Gradients{dx};
  });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const PoolGeometry geometry = make_geometry("max_pool2d", x, options);
  DG_CHECK(geometry.h.input <= std::numeric_limits<int32_t>::max() / geometry.w.input,
           "max_pool2d: images of {} x {} have more places than an i32 can count", geometry.h.input,
           geometry.w.input);
  const Tensor y = Tensor::empty(output_shape(geometry), x.dtype(), x.device());
  const Tensor indices =
      autograd::records({x}) ? Tensor::empty(y.shape(), DType::i32, x.device()) : Tensor();
  max_pool2d_kernel.on(x.device())(geometry, x.contiguous(), y, indices);
  return autograd::record(
      {"max_pool2d"}, {x}, y, [geometry, indices](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor dx = Tensor::empty(input_shape(geometry), dy.dtype(), dy.device());
        max_pool2d_backward_kernel.on(dy.device())(geometry, dy, indices, dx);
        return Gradients{dx};
      });
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  return average("avg_pool2d", make_geometry("avg_pool2d", x, options), x);
}

Tensor adaptive_avg_pool2d(const Tensor& x, Size2 size) {
  DG_CHECK(x.rank() == 4, "adaptive_avg_pool2d: expected images [B,H,W,C], got {}", x.shape());
  DG_CHECK(size.h >= 1 && size.w >= 1 && x.size(1) >= 1 && x.size(2) >= 1,
           "adaptive_avg_pool2d: cannot make {} x {} windows of input {}; all must be at least 1",
           size.h, size.w, x.shape());
  PoolGeometry geometry;
  geometry.h.input = x.size(1);
  geometry.h.output = size.h;
  geometry.w.input = x.size(2);
  geometry.w.output = size.w;
  geometry.h.adaptive = geometry.w.adaptive = true;
  geometry.images = x.size(0);
  geometry.channels = x.size(3);
  return average("adaptive_avg_pool2d", geometry, x);
}

}  // namespace diagrad
