#include "diagrad/ops/group_norm.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
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

/// Lets the input gradient of layer norm join the sum of earlier ones, such as that of the residual
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

}  // namespace

Tensor group_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const GroupNormOptions& options) {
  check("group_norm", 2, x, gamma, beta, options.epsilon);
  DG_CHECK(options.groups >= 1 && x.size(-1) % options.groups == 0,
           "group_norm: {} groups do not divide the {} channels of input {}", options.groups,
           x.size(-1), x.shape());
  return normalise("group_norm", group_norm_forward_kernel, group_norm_backward_kernel, x, gamma,
                   beta, options.groups, options.epsilon, {x.size(0), options.groups}, false);
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
