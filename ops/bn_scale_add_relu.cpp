#include "diagrad/ops/bn_scale_add_relu.h"

#include <array>
#include <utility>

#include "diagrad/autograd/checkpoint.h"
#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/batch_norm_checks.h"
#include "diagrad/ops/bn_scale_add_relu_kernels.h"
#include "diagrad/ops/conv_bn_input.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

Tensor contiguous_or_none(const Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

Tensor empty_if(bool wanted, const Shape& shape, DType dtype, Device device) {
  return wanted ? Tensor::empty(shape, dtype, device) : Tensor();
}

constexpr const char* kName = "bn_scale_add_relu";

void check_join(const Tensor& x, const Tensor& s, const Tensor& residual) {
  DG_CHECK(!s.defined() || s.shape() == Shape({x.size(0), x.size(-1)}),
           "bn_scale_add_relu: factors have shape {}, expected [{},{}] for input {}", s.shape(),
           x.size(0), x.size(-1), x.shape());
  DG_CHECK(residual.shape() == x.shape(),
           "bn_scale_add_relu: residual has shape {}, input {}; they must be equal",
           residual.shape(), x.shape());
  DG_CHECK(
      residual.dtype() == x.dtype() && (!s.defined() || s.dtype() == x.dtype()),
      "bn_scale_add_relu: input is {}, factors {}, residual {}; convert with to() so that they "
      "agree",
      x.dtype(), s.defined() ? name(s.dtype()) : "absent", residual.dtype());
}

}  // namespace

struct BnScaleAddRelu::Shared {
  ChannelNorm norm;
  SavedTensor gamma, beta, s;
  /// What the derivative of z leaves for that of x, which the engine calls later.
  Tensor image_sums;
  bool finished = false;

  ChannelNorm saved_norm(const BackwardContext& context) const {
    return {gamma.get(context), beta.get(context), norm.mean, norm.rstd};
  }

  /// `pass` has x, image_means, training and the prologue.
  Gradients backward(const BackwardContext& context, BnScaleAddReluBackward pass) const {
    const Tensor& x = pass.x;
    const bool in_front = pass.prologue.prologue.defined();
    pass.norm = saved_norm(context);
    if (context.has_gradient(0)) {
      pass.s = s.get(context);
      pass.du = context.gradient(0).contiguous();
      pass.image_sums = image_sums;
    }
    if (pass.image_means.defined() && context.has_gradient(1)) {
      pass.dpooled = context.gradient(1).contiguous();
    }
    const Shape channels{x.size(-1)};
    pass.dx = empty_if(context.needs(0) && !in_front, x.shape(), x.dtype(), x.device());
    pass.dgamma = empty_if(context.needs(2), channels, x.dtype(), x.device());
    pass.dbeta = empty_if(context.needs(3), channels, x.dtype(), x.device());
    bn_scale_add_relu_backward_kernel.on(x.device())(pass);
    return {in_front ? pass.prologue.dinput : pass.dx, pass.prologue.dweight, pass.dgamma,
            pass.dbeta};
  }
};

BnScaleAddRelu::BnScaleAddRelu(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                               const Tensor& running_mean, const Tensor& running_var,
                               const BatchNormOptions& options, bool pool)
    : shared_(std::make_shared<Shared>()) {
  begin({x}, gamma, beta, running_mean, running_var, options, pool);
}

BnScaleAddRelu::BnScaleAddRelu(const Tensor& x, const Convolution& convolution, const Tensor& gamma,
                               const Tensor& beta, const Tensor& running_mean,
                               const Tensor& running_var, const BatchNormOptions& options,
                               bool pool)
    : shared_(std::make_shared<Shared>()) {
  const bool fused = fuses_with_batch_norm(convolution, options);
  begin(fused ? ConvBnInput{x, convolution.weight}
              : ConvBnInput{conv2d(x, convolution.weight, convolution.options)},
        gamma, beta, running_mean, running_var, options, pool);
}

void BnScaleAddRelu::begin(const ConvBnInput& bn_input, const Tensor& gamma, const Tensor& beta,
                           const Tensor& running_mean, const Tensor& running_var,
                           const BatchNormOptions& options, bool pool) {
  const Tensor x = bn_input.make_x();
  check_batch_norm(kName, x, gamma, beta, running_mean, running_var, options);
  DG_CHECK(!pool || x.numel() > 0, "{}: input {} has nothing to pool", kName, x.shape());
  const Device device = x.device();
  const Tensor mean = Tensor::empty({x.size(-1)}, DType::f64, device);
  const Tensor rstd = Tensor::empty_like(mean);
  const PointwisePrologue prologue = bn_input.prologue();
  const bool tracks = !autograd::is_recomputing();
  const BatchNormStatistics batch{x,
                                  tracks ? running_mean : Tensor(),
                                  tracks ? running_var : Tensor(),
                                  options.momentum,
                                  options.epsilon,
                                  mean,
                                  rstd,
                                  prologue};
  const Tensor image_means = empty_if(pool, {x.size(0), x.size(-1)}, DType::f64, device);
  if (pool) {
    bn_scale_add_relu_statistics_kernel.on(device)({batch, options.training, image_means});
  } else if (options.training) {
    batch_norm_statistics_kernel.on(device)(batch);
  }
  if (!options.training) {
    batch_norm_running_kernel.on(device)(running_mean, running_var, options.epsilon, mean, rstd);
  }
  shared_->norm = {contiguous_or_none(gamma), contiguous_or_none(beta), mean, rstd};
  shared_->gamma = SavedTensor(shared_->norm.gamma);
  shared_->beta = SavedTensor(shared_->norm.beta);
  std::vector<Tensor> outputs{x.strided(x.shape(), x.strides())};
  if (pool) {
    outputs.push_back(Tensor::empty(image_means.shape(), x.dtype(), device));
    bn_scale_add_relu_pool_kernel.on(device)(shared_->norm, image_means, outputs.back());
  }
  const std::array<Tensor, 4> inputs{bn_input.input, bn_input.weight, gamma, beta};
  outputs = autograd::record(
      {prologue.defined() ? "conv_bn_scale_add_relu" : kName, bn_input.multiply_adds()}, inputs,
      std::move(outputs),
      [image_means, training = options.training, shared = shared_, x = SavedTensor(x),
       prologue = SavedPrologue(bn_input)](const BackwardContext& context) {
        BnScaleAddReluBackward pass;
        pass.x = x.get(context);
        pass.image_means = image_means;
        pass.training = training;
        pass.prologue = prologue.gradients(context);
        return shared->backward(context, std::move(pass));
      });
  x_ = outputs[0];
  if (pool) pooled_ = outputs[1];
}

Tensor BnScaleAddRelu::scale_add_relu(const Tensor& s, const Tensor& residual) {
  DG_CHECK(s.defined(), "bn_scale_add_relu: no factors given; use add_relu() for none");
  return finish(s, residual);
}

Tensor BnScaleAddRelu::add_relu(const Tensor& residual) {
  return finish(Tensor(), residual);
}

Tensor BnScaleAddRelu::finish(const Tensor& factors, const Tensor& residual) {
  check_join(x_, factors, residual);
  DG_CHECK(!std::exchange(shared_->finished, true),
           "bn_scale_add_relu: gives one result; make a new one for another");
  const Tensor s = contiguous_or_none(factors);
  const Tensor z = Tensor::empty_like(x_);
  bn_scale_add_relu_forward_kernel.on(x_.device())(
      {shared_->norm, x_, s, residual.contiguous(), z});
  shared_->s = SavedTensor(s);
  return autograd::record(
      {"scale_add_relu"}, {x_, factors, residual}, z,
      [shared = shared_, x = SavedTensor(x_), z = SavedTensor(z)](const BackwardContext& context) {
        BnScaleAddReluMask pass;
        pass.norm = shared->saved_norm(context);
        pass.x = x.get(context);
        pass.z = z.get(context);
        pass.du = context.reuse_grad_buffer();
        pass.dz = context.gradient().contiguous();
        const Shape vectors{pass.x.size(0), pass.x.size(-1)};
        pass.image_sums = Tensor::empty({2, vectors[0], vectors[1]}, DType::f64, pass.x.device());
        pass.ds = empty_if(context.needs(1), vectors, pass.x.dtype(), pass.x.device());
        bn_scale_add_relu_mask_kernel.on(pass.x.device())(pass);
        shared->image_sums = pass.image_sums;
        return Gradients{context.needs(0) ? pass.du : Tensor(), pass.ds,
                         context.needs(2) ? pass.du : Tensor()};
      });
}

}  // namespace diagrad
