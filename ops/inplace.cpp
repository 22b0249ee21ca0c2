#include "diagrad/ops/inplace.h"

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/binary_kernels.h"
#include "diagrad/ops/unary_kernels.h"

namespace diagrad {
namespace {

void check_target(const char* op, const Tensor& dst) {
  DG_CHECK(!grad_enabled() || !dst.requires_grad(),
           "{}: the tensor of shape {} requires gradients, and an in-place change is not recorded; "
           "change it under `const NoGrad no_grad;`, or change its detach()",
           op, dst.shape());
  check_no_repeats(op, dst);
}

void check_floating(const char* op, const Tensor& dst) {
  DG_CHECK(dst.dtype() == DType::f32 || dst.dtype() == DType::f64,
           "{}: needs f32 or f64 tensors, got {} {}", op, dst.dtype(), dst.shape());
}

bool is_same_view(const Tensor& a, const Tensor& b) {
  return a.raw_data() == b.raw_data() && a.strides() == b.strides();
}

/// `source`, or a copy of it where writing to `dst` could change values before they are read.
Tensor checked_source(const char* op, const Tensor& dst, const Tensor& source) {
  DG_CHECK(dst.dtype() == source.dtype() && dst.shape() == source.shape(),
           "{}: the tensor is {} {}, the source {} {}; both must agree, use cast and expand", op,
           dst.dtype(), dst.shape(), source.dtype(), source.shape());
  DG_CHECK(!grad_enabled() || !source.requires_grad(),
           "{}: the source of shape {} requires gradients, and an in-place change is not recorded; "
           "use its detach(), or the operation that makes a new tensor",
           op, source.shape());
  if (grad_enabled() && source.lost_graph() == LostGraph::gradient) {
    dst.set_lost_graph(LostGraph::gradient);
  }
  const bool overlaps = dst.shares_storage(source) && !is_same_view(dst, source);
  return overlaps ? source.clone() : source;
}

}  // namespace

void add_(const Tensor& dst, const Tensor& source, double alpha) {
  check_target("add_", dst);
  check_floating("add_", dst);
  Tensor addend = checked_source("add_", dst, source);
  if (alpha != 1.0) {
    const Tensor scaled = Tensor::empty_like(addend);
    unary_kernel.on(dst.device())(UnaryFunction::affine, alpha, 0.0, addend, scaled);
    addend = scaled;
  }
  dst.bump_version();
  binary_kernel.on(dst.device())(BinaryFunction::add, dst, addend, dst);
}

void mul_(const Tensor& dst, const Tensor& source) {
  check_target("mul_", dst);
  check_floating("mul_", dst);
  const Tensor factors = checked_source("mul_", dst, source);
  dst.bump_version();
  binary_kernel.on(dst.device())(BinaryFunction::mul, dst, factors, dst);
}

void mul_(const Tensor& dst, double factor) {
  check_target("mul_", dst);
  check_floating("mul_", dst);
  dst.bump_version();
  unary_kernel.on(dst.device())(UnaryFunction::affine, factor, 0.0, dst, dst);
}

void zero_(const Tensor& dst) {
  check_target("zero_", dst);
  dst.fill_(0.0);
}

void copy_(const Tensor& dst, const Tensor& source) {
  check_target("copy_", dst);
  dst.copy_(checked_source("copy_", dst, source));
}

}  // namespace diagrad
