#include "diagrad/ops/group_norm.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/convolution.h"
#include "diagrad/ops/group_norm_kernels.h"
#include "diagrad/ops/layer_norm.h"
#include "diagrad/ops/linear_parts.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check_vector(const char* op, const char* what, const Tensor& value, const Tensor& x) {
  if (!value.defined()) return;
  DG_CHECK(value.shape() == Shape({x.size(-1)}) && value.dtype() == x.dtype(),
           "{}: {} is {} {}, expected {} [{}] for input {} (features are the last axis)", op, what,
           value.dtype(), value.shape(), x.dtype(), x.size(-1), x.shape());
}

void check(const char* op, int least_rank, const Tensor& x, const Tensor& gamma, const Tensor& beta,
           double epsilon) {
  DG_CHECK(x.rank() >= least_rank, "{}: expected input of rank {} or more, got {}", op, least_rank,
           x.shape());
  check_vector(op, "gamma", gamma, x);
  check_vector(op, "beta", beta, x);
  DG_CHECK(epsilon > 0.0, "{}: epsilon {} must be positive", op, epsilon);
}

Tensor contiguous_or_none(const Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

/// A backward pass with room for the gradients of gamma and beta, inputs 1 and 2 of the operation.
GroupNormBackward backward_of(const BackwardContext& context, const Tensor& x, const Tensor& gamma,
                              const Tensor& mean, const Tensor& rstd, int64_t groups) {
  GroupNormBackward back;
  back.x = x;
  back.gamma = gamma;
  back.mean = mean;
  back.rstd = rstd;
  back.groups = groups;
  const Shape features{x.size(-1)};
  if (context.needs(1)) back.dgamma = Tensor::empty(features, x.dtype(), x.device());
  if (context.needs(2)) back.dbeta = Tensor::empty(features, x.dtype(), x.device());
  return back;
}

/// Lets the input gradient join the sum of earlier ones, such as that of the residual
/// path around it; false where there is none.
bool joins_earlier(const BackwardContext& context, GroupNormBackward& back) {
  back.dx = context.take_grad_accumulator(0);
  back.accumulate = back.dx.defined();
  return back.accumulate;
}

/// A forward pass with room for what it gives.
GroupNormForward forward_of(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                            int64_t groups, double epsilon, const Shape& statistics) {
  GroupNormForward pass;
  pass.x = x.contiguous();
  pass.gamma = contiguous_or_none(gamma);
  pass.beta = contiguous_or_none(beta);
  pass.groups = groups;
  pass.epsilon = epsilon;
  pass.y = Tensor::empty_like(pass.x);
  pass.mean = Tensor::empty(statistics, DType::f64, x.device());
  pass.rstd = Tensor::empty_like(pass.mean);
  return pass;
}

/// Both operations: they differ in their kernels and in the shape of the statistics.
template <typename Forward, typename Backward>
Tensor normalise(const char* op, const Forward& forward, const Backward& backward,
                 const Tensor& input, const Tensor& gamma, const Tensor& beta, int64_t groups,
                 double epsilon, const Shape& statistics, bool in_place) {
  const GroupNormForward pass = forward_of(input, gamma, beta, groups, epsilon, statistics);
  forward.on(input.device())(pass);
  return autograd::record(
      {op}, {input, gamma, beta}, pass.y,
      [&backward, groups, in_place, mean = pass.mean, rstd = pass.rstd, x = SavedTensor(pass.x),
       gamma = SavedTensor(pass.gamma)](const BackwardContext& context) {
        GroupNormBackward back =
            backward_of(context, x.get(context), gamma.get(context), mean, rstd, groups);
        if (context.needs(0)) {
          if (!in_place) {
            back.dx = Tensor::empty_like(back.x);
          } else if (!joins_earlier(context, back)) {
            back.dx = context.reuse_grad_buffer();
          }
        }
        back.dy = context.gradient().contiguous();
        backward.on(back.x.device())(back);
        return Gradients{back.dx, back.dgamma, back.dbeta};
      });
}

void check_groups(const char* op, const Tensor& x, const GroupNormOptions& options) {
  DG_CHECK(options.groups >= 1 && x.size(-1) % options.groups == 0,
           "{}: {} groups do not divide the {} channels of input {}", op, options.groups,
           x.size(-1), x.shape());
}

constexpr const char* kConvOp = "group_norm_silu_conv2d";

void check_activations(const GroupNormSilu& a) {
  check(kConvOp, 4, a.x, a.gamma, a.beta, a.options.epsilon);
  check_groups(kConvOp, a.x, a.options);
  if (!a.shift.defined()) return;
  DG_CHECK(a.shift.shape() == Shape({a.x.size(0), a.x.size(3)}) && a.shift.dtype() == a.x.dtype(),
           "{}: shift is {} {}, expected {} [{},{}] for input {}", kConvOp, a.shift.dtype(),
           a.shift.shape(), a.x.dtype(), a.x.size(0), a.x.size(3), a.x.shape());
}

/// The forward pass that makes the activations.
GroupNormForward activations_of(const GroupNormSilu& a) {
  GroupNormForward pass = forward_of(a.x, a.gamma, a.beta, a.options.groups, a.options.epsilon,
                                     {a.x.size(0), a.options.groups});
  pass.silu = true;
  pass.shift = contiguous_or_none(a.shift);
  return pass;
}

/// What group_norm_silu_conv2d keeps, and its derivative. Inputs are x, shift, gamma, beta, w,
/// bias.
class ActivatedConvolution {
 public:
  ActivatedConvolution(const GroupNormForward& pass, const ConvGeometry& geometry, const Tensor& w)
      : geometry_(geometry),
        options_{pass.groups, pass.epsilon},
        mean_(pass.mean),
        rstd_(pass.rstd),
        x_(pass.x),
        shift_(pass.shift),
        gamma_(pass.gamma),
        beta_(pass.beta),
        w_(w) {}

  Gradients operator()(const BackwardContext& context) const {
    const Tensor dy = context.gradient().contiguous();
    Gradients gradients(6);
    Tensor activations;
    if (context.needs(0) || context.needs(1) || context.needs(2) || context.needs(3)) {
      activations = normalisation_gradients(context, dy, gradients);
    } else if (context.needs(4)) {
      const GroupNormForward again =
          activations_of({x_.get(context), gamma_.get(context), beta_.get(context),
                          shift_.get(context), options_});
      group_norm_forward_kernel.on(dy.device())(again);
      activations = again.y;
    }
    if (context.needs(4)) {
      gradients[4] = Tensor::empty_like(w_.get(context));
      conv_weight_gradient_kernel.on(dy.device())(geometry_, activations, dy, gradients[4]);
    }
    if (context.needs(5)) gradients[5] = bias_gradient(dy);
    return gradients;
  }

 private:
  /// Fills the first four and gives the activations if w wants its gradient.
  Tensor normalisation_gradients(const BackwardContext& context, const Tensor& dy,
                                 Gradients& gradients) const {
    GroupNormBackward back;
    back.x = x_.get(context);
    back.gamma = gamma_.get(context);
    back.beta = beta_.get(context);
    back.shift = shift_.get(context);
    back.mean = mean_;
    back.rstd = rstd_;
    back.groups = options_.groups;
    back.silu = true;
    back.dy = Tensor::empty_like(back.x);
    conv_input_gradient_kernel.on(dy.device())(geometry_, dy, w_.get(context), back.dy, false);
    if (context.needs(0) && !joins_earlier(context, back)) back.dx = back.dy;
    if (context.needs(1)) back.dshift = Tensor::empty_like(back.shift);
    const Shape features{back.x.size(3)};
    if (context.needs(2)) back.dgamma = Tensor::empty(features, dy.dtype(), dy.device());
    if (context.needs(3)) back.dbeta = Tensor::empty(features, dy.dtype(), dy.device());
    if (context.needs(4)) back.y = Tensor::empty_like(back.x);
    group_norm_backward_kernel.on(dy.device())(back);
    gradients[0] = back.dx;
    gradients[1] = back.dshift;
    gradients[2] = back.dgamma;
    gradients[3] = back.dbeta;
    return back.y;
  }

  ConvGeometry geometry_;
  GroupNormOptions options_;
  Tensor mean_, rstd_;
  SavedTensor x_, shift_, gamma_, beta_, w_;
};

}  // namespace

Tensor group_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const GroupNormOptions& options) {
  check("group_norm", 2, x, gamma, beta, options.epsilon);
  check_groups("group_norm", x, options);
  return normalise("group_norm", group_norm_forward_kernel, group_norm_backward_kernel, x, gamma,
                   beta, options.groups, options.epsilon, {x.size(0), options.groups}, false);
}

Tensor group_norm_silu_conv2d(const GroupNormSilu& activations, const Tensor& w, const Tensor& bias,
                              const Conv2dOptions& options) {
  const Tensor& x = activations.x;
  check_activations(activations);
  DG_CHECK(x.rank() == 4 && w.rank() == 4,
           "{}: expected input [B,H,W,C] and weight [O,kh,kw,C/groups], got {} and {}", kConvOp,
           x.shape(), w.shape());
  check_convolution(kConvOp, x, w, bias, options.groups);
  const ConvGeometry geometry = conv2d_geometry(kConvOp, x, w, options);
  check_reach(kConvOp, geometry);
  const GroupNormForward pass = activations_of(activations);
  group_norm_forward_kernel.on(x.device())(pass);
  const Tensor y =
      Tensor::empty({geometry.batch, geometry.output.h, geometry.output.w, geometry.out_channels},
                    x.dtype(), x.device());
  const Tensor weights = w.contiguous();
  conv_forward_kernel.on(x.device())(geometry, pass.y, weights, contiguous_or_none(bias), y);
  const int64_t multiply_adds = y.numel() * geometry.taps() * geometry.group_inputs();
  return autograd::record({kConvOp, multiply_adds},
                          {x, activations.shift, activations.gamma, activations.beta, w, bias}, y,
                          ActivatedConvolution(pass, geometry, weights));
}

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon) {
  check("layer_norm", 1, x, gamma, beta, epsilon);
  return normalise("layer_norm", layer_norm_forward_kernel, layer_norm_backward_kernel, x, gamma,
                   beta, 1, epsilon, {x.shape().numel(0, x.rank() - 1)}, true);
}

Tensor layer_norm_linear(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& w,
                         const Tensor& bias, double epsilon) {
  constexpr const char* kOp = "layer_norm_linear";
  check(kOp, 1, x, gamma, beta, epsilon);
  check_linear(kOp, x, w, bias);
  const Shape statistics{x.shape().numel(0, x.rank() - 1)};
  const GroupNormForward pass = forward_of(x, gamma, beta, 1, epsilon, statistics);
  layer_norm_forward_kernel.on(x.device())(pass);
  return autograd::record(
      {kOp, linear_multiply_adds(x, w)}, {x, gamma, beta, w, bias}, linear_product(pass.y, w, bias),
      [epsilon, mean = pass.mean, rstd = pass.rstd, x = SavedTensor(pass.x),
       gamma = SavedTensor(pass.gamma), beta = SavedTensor(pass.beta),
       w = SavedTensor(w)](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor& from = x.get(context);
        Gradients gradients(5);
        if (context.needs(3)) {
          const GroupNormForward again =
              forward_of(from, gamma.get(context), beta.get(context), 1, epsilon, mean.shape());
          layer_norm_forward_kernel.on(dy.device())(again);
          gradients[3] = weight_gradient(dy, again.y);
        }
        if (context.needs(4)) gradients[4] = bias_gradient(dy);
        if (!context.needs(0) && !context.needs(1) && !context.needs(2)) return gradients;
        GroupNormBackward back = backward_of(context, from, gamma.get(context), mean, rstd, 1);
        back.dy = input_gradient(dy, w.get(context), from.shape());
        if (context.needs(0) && !joins_earlier(context, back)) back.dx = back.dy;
        layer_norm_backward_kernel.on(dy.device())(back);
        gradients[0] = back.dx;
        gradients[1] = back.dgamma;
        gradients[2] = back.dbeta;
        return gradients;
      });
}

}  // namespace diagrad
