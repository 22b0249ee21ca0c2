#include "diagrad/ops/batch_norm.h"

#include <memory>

#include "diagrad/autograd/checkpoint.h"
#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/batch_norm_checks.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/conv_bn_input.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check_channel_vector(const char* op, const char* what, const Tensor& value, const Tensor& x) {
  if (!value.defined()) return;
  DG_CHECK(value.shape() == Shape({x.size(-1)}),
           "{}: {} has shape {}, expected [{}] for input {} (channels are the last axis)", op, what,
           value.shape(), x.size(-1), x.shape());
  DG_CHECK(value.dtype() == x.dtype(),
           "{}: input is {} but {} is {}; convert with to() so that they agree", op, x.dtype(),
           what, value.dtype());
}

Tensor contiguous_or_none(const Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

Tensor like_if(bool wanted, const Tensor& tensor) {
  return wanted ? Tensor::empty_like(tensor) : Tensor();
}

}  // namespace

void check_batch_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                      const Tensor& running_mean, const Tensor& running_var,
                      const BatchNormOptions& options) {
  DG_CHECK(x.rank() >= 2, "{}: expected input [...,C] of rank 2 or more, got {}", op, x.shape());
  check_channel_vector(op, "gamma", gamma, x);
  check_channel_vector(op, "beta", beta, x);
  check_channel_vector(op, "running_mean", running_mean, x);
  check_channel_vector(op, "running_var", running_var, x);
  DG_CHECK(running_mean.defined() == running_var.defined(),
           "{}: running_mean and running_var must be given together", op);
  DG_CHECK(!options.training || !running_mean.defined() ||
               (running_mean.is_contiguous() && running_var.is_contiguous()),
           "{}: the running statistics must be contiguous, they are updated in place", op);
  DG_CHECK(options.training || running_mean.defined(),
           "{}: evaluation needs running_mean and running_var; train first or set "
           "{{.training = true}}",
           op);
  DG_CHECK(options.epsilon > 0.0 && options.momentum >= 0.0 && options.momentum <= 1.0,
           "{}: epsilon {} must be positive and momentum {} within [0, 1]", op, options.epsilon,
           options.momentum);
  const int64_t values = x.shape().numel(0, x.rank() - 1);
  DG_CHECK(!options.training || values >= 2,
           "{}: training needs more than one value per channel, input {} has {}; use a larger "
           "batch or evaluation mode",
           op, x.shape(), values);
}

Tensor record_batch_norm(const char* op, bool relu, const ConvBnInput& bn_input,
                         const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                         const Tensor& running_var, const BatchNormOptions& options) {
  const Tensor x = bn_input.make_x();
  check_batch_norm(op, x, gamma, beta, running_mean, running_var, options);
  const Device device = x.device();
  const Tensor mean = Tensor::empty({x.size(-1)}, DType::f64, device);
  const Tensor rstd = Tensor::empty_like(mean);
  const PointwisePrologue prologue = bn_input.prologue();
  if (options.training) {
    const bool tracks = !autograd::is_recomputing();
    batch_norm_statistics_kernel.on(device)({x, tracks ? running_mean : Tensor(),
                                             tracks ? running_var : Tensor(), options.momentum,
                                             options.epsilon, mean, rstd, prologue});
  } else {
    DG_ASSERT(!prologue.defined(), "{}: a convolution in prologue, but in evaluation", op);
    batch_norm_running_kernel.on(device)(running_mean, running_var, options.epsilon, mean, rstd);
  }
  const Tensor y = Tensor::empty_like(x);
  const Tensor scale = contiguous_or_none(gamma);
  const Tensor shift = contiguous_or_none(beta);
  batch_norm_forward_kernel.on(device)({x, scale, shift, mean, rstd, relu, y});
  const auto saved = std::make_shared<BatchNormRecompute>();
  saved->x = SavedTensor(x);
  saved->gamma = SavedTensor(scale);
  saved->beta = SavedTensor(shift);
  saved->mean = mean;
  saved->rstd = rstd;
  saved->relu = relu;
  const Tensor result = autograd::record(
      {op, bn_input.multiply_adds()}, {bn_input.input, bn_input.weight, gamma, beta}, y,
      [saved, training = options.training,
       prologue = SavedPrologue(bn_input)](const BackwardContext& context) {
        BatchNormBackward pass;
        pass.x = saved->x.get(context);
        pass.prologue = prologue.gradients(context);
        const bool in_front = pass.prologue.prologue.defined();
        if (context.needs(0) && !in_front) pass.dx = context.reuse_grad_buffer();
        pass.dy = context.gradient().contiguous();
        pass.gamma = saved->gamma.get(context);
        if (saved->relu) pass.beta = saved->beta.get(context);
        pass.mean = saved->mean;
        pass.rstd = saved->rstd;
        pass.training = training;
        pass.relu = saved->relu;
        const Tensor channels = Tensor::empty({pass.x.size(-1)}, pass.x.dtype(), pass.x.device());
        pass.dgamma = like_if(context.needs(2), channels);
        pass.dbeta = like_if(context.needs(3), channels);
        batch_norm_backward_kernel.on(pass.x.device())(pass);
        return Gradients{in_front ? pass.prologue.dinput : pass.dx, pass.prologue.dweight,
                         pass.dgamma, pass.dbeta};
      });
  autograd::set_recompute(result, saved);
  return result;
}

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options) {
  return record_batch_norm("batch_norm", false, {x}, gamma, beta, running_mean, running_var,
                           options);
}

Tensor batch_norm_relu(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                       const Tensor& running_mean, const Tensor& running_var,
                       const BatchNormOptions& options) {
  return record_batch_norm("batch_norm_relu", true, {x}, gamma, beta, running_mean, running_var,
                           options);
}

}  // namespace diagrad
