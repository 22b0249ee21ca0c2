#include "diagrad/ops/convolution.h"

#include <algorithm>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

}  // namespace

Tensor record_convolution(const char* name, const ConvGeometry& geometry, const Tensor& x,
                          const Tensor& w, const Tensor& bias, const Shape& output) {
  check_reach(name, geometry);
  const Tensor y = Tensor::empty(output, x.dtype(), x.device());
  conv_forward_kernel.on(x.device())(geometry, x.contiguous(), w.contiguous(),
                                     bias.defined() ? bias.contiguous() : bias, y);
  const int64_t multiply_adds = output.numel() * geometry.taps() * geometry.group_inputs();
  return autograd::record(
      {name, multiply_adds}, {x, w, bias}, y,
      [geometry, x_shape = x.shape(), w_shape = w.shape(),
       x = SavedTensor(w.requires_grad() ? x : Tensor()),
       w = SavedTensor(x.requires_grad() ? w : Tensor())](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        Gradients gradients(3);
        if (context.needs(0)) {
          gradients[0] = context.take_grad_accumulator(0);
          const bool accumulate = gradients[0].defined();
          if (!accumulate) gradients[0] = Tensor::empty(x_shape, dy.dtype(), dy.device());
          conv_input_gradient_kernel.on(dy.device())(geometry, dy, w.get(context).contiguous(),
                                                     gradients[0], accumulate);
        }
        if (context.needs(1)) {
          gradients[1] = Tensor::empty(w_shape, dy.dtype(), dy.device());
          conv_weight_gradient_kernel.on(dy.device())(geometry, x.get(context).contiguous(), dy,
                                                      gradients[1]);
        }
        if (context.needs(2)) {
          gradients[2] = Tensor::empty({geometry.out_channels}, dy.dtype(), dy.device());
          bias_gradient_kernel.on(dy.device())(dy, gradients[2]);
        }
        return gradients;
      });
}

void check_convolution(const char* name, const Tensor& x, const Tensor& w, const Tensor& bias,
                       int64_t groups) {
  const int64_t channels = x.size(-1);
  const int64_t outputs = w.size(0);
  DG_CHECK(x.dtype() == w.dtype(), "{}: input is {} but weight is {}; convert one with to()", name,
           x.dtype(), w.dtype());
  DG_CHECK(x.device() == w.device(), "{}: input is on {} but weight on {}", name, x.device().str(),
           w.device().str());
  DG_CHECK(groups >= 1, "{}: groups is {}, must be at least 1", name, groups);
  DG_CHECK(channels % groups == 0 && outputs % groups == 0,
           "{}: {} groups do not divide {} input and {} output channels; input {}, weight {}", name,
           groups, channels, outputs, x.shape(), w.shape());
  if (groups == 1) {
    DG_CHECK(w.size(-1) == channels,
             "{}: input has {} channels but weight expects {}; input {}, weight {} (channels are "
             "the last axis of both)",
             name, channels, w.size(-1), x.shape(), w.shape());
  } else {
    DG_CHECK(w.size(-1) == channels / groups,
             "{}: input has {} channels in {} groups of {} but weight expects {} per group; input "
             "{}, weight {}",
             name, channels, groups, channels / groups, w.size(-1), x.shape(), w.shape());
  }
  if (!bias.defined()) return;
  DG_CHECK(bias.shape() == Shape({outputs}), "{}: bias has shape {}, expected [{}] for weight {}",
           name, bias.shape(), outputs, w.shape());
  DG_CHECK(bias.dtype() == x.dtype(), "{}: input is {} but bias is {}; convert one with to()", name,
           x.dtype(), bias.dtype());
}

void check_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups) {
  DG_CHECK(x.rank() == 4 && w.rank() == 4,
           "conv2d: expected input [B,H,W,C] and weight [O,kh,kw,C/groups], got {} and {}",
           x.shape(), w.shape());
  check_convolution("conv2d", x, w, bias, groups);
}

void check_reach(const char* name, const ConvGeometry& g) {
  constexpr int64_t kMost = int64_t{1} << 56;
  const int64_t height = g.input.h + 2 * g.padding.h;
  const int64_t width = g.input.w + 2 * g.padding.w;
  const int64_t channels = std::max<int64_t>({g.in_channels, g.out_channels, 1});
  DG_CHECK(height * width <= kMost / channels,
           "{}: {} x {} pixels, padding included, of {} channels are more than 2^56 numbers; use a "
           "smaller padding",
           name, height, width, channels);
}

int64_t convolution_size(const char* name, const char* axis, int64_t input, int64_t kernel,
                         int64_t stride, int64_t padding, int64_t dilation) {
  DG_CHECK(stride >= 1 && dilation >= 1 && padding >= 0,
           "{}: {} has stride {}, dilation {}, padding {}; stride and dilation must be at least 1, "
           "padding at least 0",
           name, axis, stride, dilation, padding);
  DG_CHECK(kernel >= 1, "{}: {} of the kernel is {}, must be at least 1", name, axis, kernel);
  // Products of these with the channels stay within 63 bits.
  constexpr int64_t kMost = int64_t{1} << 31;
  int64_t reach = 0;
  int64_t padded = 0;
  DG_CHECK(!__builtin_mul_overflow(dilation, kernel - 1, &reach) && reach < kMost &&
               !__builtin_mul_overflow(padding, 2, &padded) &&
               !__builtin_add_overflow(padded, input, &padded) && padded < kMost,
           "{}: {} {} with padding {} and kernel {} with dilation {} reach beyond 2^31 pixels",
           name, axis, input, padding, kernel, dilation);
  ++reach;
  DG_CHECK(padded >= reach,
           "{}: a kernel of {} {} (dilation {}) does not fit into {} + 2 * {} padding; pad by at "
           "least {} or use a smaller kernel",
           name, axis, reach, dilation, input, padding, (reach - input + 1) / 2);
  return (padded - reach) / stride + 1;
}

int64_t reachable_stride(int64_t input, int64_t stride, int64_t padding) {
  return std::min(stride, std::max<int64_t>(input + 2 * padding, 1));
}

}  // namespace diagrad
