#include "diagrad/ops/conv_batch_norm.h"

#include "diagrad/autograd/record.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/conv_bn_input.h"
#include "diagrad/ops/convolution.h"

namespace diagrad {

using autograd::BackwardContext;
using autograd::SavedTensor;

bool fuses_with_batch_norm(const Convolution& convolution, const BatchNormOptions& options) {
  const Tensor& w = convolution.weight;
  const Conv2dOptions& conv = convolution.options;
  return options.training && w.rank() == 4 && w.size(1) == 1 && w.size(2) == 1 &&
         conv.groups == 1 && conv.stride == Size2(1) && conv.padding == Size2(0) &&
         pointwise_prologue_kernel.has(w.device().type) &&
         pointwise_prologue_kernel.on(w.device())(w.size(0), w.size(3));
}

Tensor conv_batch_norm_relu(const Tensor& x, const Convolution& convolution, const Tensor& gamma,
                            const Tensor& beta, const Tensor& running_mean,
                            const Tensor& running_var, const BatchNormOptions& options) {
  if (!fuses_with_batch_norm(convolution, options)) {
    return batch_norm_relu(conv2d(x, convolution.weight, convolution.options), gamma, beta,
                           running_mean, running_var, options);
  }
  return record_batch_norm("conv_batch_norm_relu", true, {x, convolution.weight}, gamma, beta,
                           running_mean, running_var, options);
}

PointwisePrologue ConvBnInput::prologue() const {
  if (!weight.defined()) return {};
  return {input.contiguous(), weight.contiguous()};
}

Tensor ConvBnInput::make_x() const {
  if (!weight.defined()) return input.contiguous();
  check_conv2d(input, weight, {}, 1);
  Shape shape = input.shape();
  shape[shape.rank() - 1] = weight.size(0);
  return Tensor::empty(shape, input.dtype(), input.device());
}

int64_t ConvBnInput::multiply_adds() const {
  return weight.defined() ? input.numel() * weight.size(0) : 0;
}

SavedPrologue::SavedPrologue(const ConvBnInput& bn_input) {
  const PointwisePrologue prologue = bn_input.prologue();
  if (!prologue.defined()) return;
  weight_ = SavedTensor(prologue.weight);
  made_ =
      std::dynamic_pointer_cast<const BatchNormRecompute>(autograd::recompute_of(bn_input.input));
  if (made_ == nullptr) input_ = SavedTensor(prologue.input);
}

PointwisePrologueGradients SavedPrologue::gradients(const BackwardContext& context) const {
  PointwisePrologueGradients result;
  result.prologue = {input_.get(context), weight_.get(context)};
  if (!result.prologue.defined()) return result;
  if (made_ != nullptr) {
    result.made = {.x = made_->x.get(context),
                   .gamma = made_->gamma.get(context),
                   .beta = made_->beta.get(context),
                   .mean = made_->mean,
                   .rstd = made_->rstd,
                   .relu = made_->relu,
                   .y = {}};
  }
  if (context.needs(0)) {
    result.dinput = context.take_grad_accumulator(0);
    result.accumulate = result.dinput.defined();
    if (!result.accumulate) {
      result.dinput = Tensor::empty_like(made_ == nullptr ? result.prologue.input : result.made.x);
    }
  }
  if (context.needs(1)) result.dweight = Tensor::empty_like(result.prologue.weight);
  return result;
}

}  // namespace diagrad
