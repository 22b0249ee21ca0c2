#include "diagrad/ops/reduce.h"

#include <algorithm>
#include <string_view>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/reduce_kernels.h"
#include "diagrad/ops/unary.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;

/// Which axes go and what shape stays.
struct Reduction {
  std::vector<int> axes;
  Shape kept;       ///< without the reduced axes
  Shape kept_dims;  ///< with them as 1
  int64_t count;    ///< elements per result

  const Shape& result(bool keep_dims) const { return keep_dims ? kept_dims : kept; }
};

Reduction plan(std::string_view op, const Tensor& x, const std::vector<int>& axes) {
  DG_CHECK(x.dtype() == DType::f32 || x.dtype() == DType::f64,
           "{}: needs an f32 or f64 tensor, got {} {}; convert it with Tensor::to", op, x.dtype(),
           x.shape());
  Reduction reduction{{}, {}, x.shape(), 1};
  for (const int axis : axes) reduction.axes.push_back(normalize_axis(op, axis, x.rank()));
  if (axes.empty()) {
    for (int axis = 0; axis < x.rank(); ++axis) reduction.axes.push_back(axis);
  }
  std::sort(reduction.axes.begin(), reduction.axes.end());
  DG_CHECK(std::adjacent_find(reduction.axes.begin(), reduction.axes.end()) == reduction.axes.end(),
           "{}: an axis is named twice for a tensor of shape {}", op, x.shape());
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::binary_search(reduction.axes.begin(), reduction.axes.end(), axis)) {
      reduction.count *= x.shape()[axis];
      reduction.kept_dims[axis] = 1;
    } else {
      reduction.kept.push_back(x.shape()[axis]);
    }
  }
  return reduction;
}

Tensor as_shape(const Tensor& contiguous, const Shape& shape) {
  return contiguous.strided(shape, contiguous_strides(shape));
}

/// A gradient without the reduced axes, repeated to the shape of the input.
Tensor repeated(const Tensor& gradient, const Shape& kept_dims, const Shape& shape) {
  return expand(as_shape(gradient.contiguous(), kept_dims), shape);
}

Tensor scaled_sum(const char* name, const Tensor& x, const ReduceOptions& options, double scale,
                  const Reduction& reduction) {
  const Tensor y =
      as_shape(sum_over(x, reduction.axes, scale), reduction.result(options.keep_dims));
  return autograd::record(
      {name}, {x}, y,
      [scale, kept_dims = reduction.kept_dims, shape = x.shape()](const BackwardContext& context) {
        const Tensor dy = context.gradient();
        return Gradients{repeated(scale == 1.0 ? dy : affine(dy, scale, 0.0), kept_dims, shape)};
      });
}

/// x with the reduced axes last, contiguous: [kept..., reduced...].
Tensor reduced_last(const Tensor& x, const std::vector<int>& axes) {
  Shape shape;
  Shape strides;
  for (const bool want_reduced : {false, true}) {
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (std::binary_search(axes.begin(), axes.end(), axis) != want_reduced) continue;
      shape.push_back(x.shape()[axis]);
      strides.push_back(x.strides()[axis]);
    }
  }
  return x.strided(shape, strides).contiguous();
}

/// dx [kept..., reduced...] seen with the axes of x again.
Tensor axes_restored(const Tensor& moved, const Shape& shape, const std::vector<int>& axes) {
  Shape strides = shape;
  int source = 0;
  for (const bool want_reduced : {false, true}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (std::binary_search(axes.begin(), axes.end(), axis) == want_reduced) {
        strides[axis] = moved.strides()[source++];
      }
    }
  }
  return moved.strided(shape, strides);
}

struct Largest {
  Tensor values, indices;
};

Largest largest(std::string_view op, const Tensor& x, const Reduction& reduction) {
  DG_CHECK(reduction.count > 0, "{}: the axes of shape {} hold no elements", op, x.shape());
  const Largest result{Tensor::empty(reduction.kept, x.dtype(), x.device()),
                       Tensor::empty(reduction.kept, DType::i64, x.device())};
  max_kernel.on(x.device())(reduced_last(x, reduction.axes), reduction.kept.numel(),
                            reduction.count, result.values, result.indices);
  return result;
}

}  // namespace

Tensor sum_over(const Tensor& x, const std::vector<int>& axes, double scale) {
  Tensor current = x.contiguous();
  // From the last axis on, each run of neighbouring axes is one [A,R,I] sum.
  for (auto last = axes.rbegin(); last != axes.rend();) {
    int first = *last;
    auto next = last + 1;
    while (next != axes.rend() && *next == first - 1) first = *next++;
    const Shape& shape = current.shape();
    Shape kept;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (axis < first || axis > *last) kept.push_back(shape[axis]);
    }
    const Tensor result = Tensor::empty(kept, x.dtype(), x.device());
    sum_kernel.on(x.device())(current, shape.numel(0, first), shape.numel(first, *last + 1),
                              shape.numel(*last + 1, shape.rank()), scale, result);
    scale = 1.0;
    current = result;
    last = next;
  }
  return axes.empty() ? current.clone() : current;
}

Tensor sum(const Tensor& x, const ReduceOptions& options) {
  return scaled_sum("sum", x, options, 1.0, plan("sum", x, options.axes));
}

Tensor mean(const Tensor& x, const ReduceOptions& options) {
  const Reduction reduction = plan("mean", x, options.axes);
  DG_CHECK(reduction.count > 0, "mean: the axes of shape {} hold no elements", x.shape());
  return scaled_sum("mean", x, options, 1.0 / static_cast<double>(reduction.count), reduction);
}

Tensor var(const Tensor& x, const VarOptions& options) {
  const Reduction reduction = plan("var", x, options.axes);
  const int64_t count = reduction.count;
  const int64_t divisor = options.unbiased ? count - 1 : count;
  DG_CHECK(divisor > 0, "var: {} elements along the axes of shape {} are too few{}", count,
           x.shape(), options.unbiased ? " (unbiased needs 2)" : "");
  const Tensor moved = reduced_last(x, reduction.axes);
  const Tensor mean = Tensor::empty(reduction.kept, DType::f64, x.device());
  const Tensor y = Tensor::empty(reduction.kept, x.dtype(), x.device());
  const auto scale = static_cast<double>(divisor);
  var_kernel.on(x.device())(moved, reduction.kept.numel(), count, scale, mean, y);
  return autograd::record({"var"}, {x}, as_shape(y, reduction.result(options.keep_dims)),
                          [reduction, scale, mean, shape = x.shape(),
                           moved = autograd::SavedTensor(moved)](const BackwardContext& context) {
                            const Tensor dy = context.gradient().contiguous();
                            const Tensor& values = moved.get(context);
                            const Tensor dx = Tensor::empty_like(values);
                            var_backward_kernel.on(dy.device())(values, mean, dy, reduction.count,
                                                                scale, dx);
                            return Gradients{axes_restored(dx, shape, reduction.axes)};
                          });
}

Tensor max(const Tensor& x, const ReduceOptions& options) {
  const Reduction reduction = plan("max", x, options.axes);
  const Largest found = largest("max", x, reduction);
  return autograd::record(
      {"max"}, {x}, as_shape(found.values, reduction.result(options.keep_dims)),
      [reduction, shape = x.shape(),
       indices = autograd::SavedTensor(found.indices)](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        Shape moved = reduction.kept;
        for (const int axis : reduction.axes) moved.push_back(shape[axis]);
        const Tensor dx = Tensor::empty(moved, dy.dtype(), dy.device());
        max_backward_kernel.on(dy.device())(dy, indices.get(context), reduction.count, dx);
        return Gradients{axes_restored(dx, shape, reduction.axes)};
      });
}

Tensor argmax(const Tensor& x, int axis) {
  return largest("argmax", x, plan("argmax", x, {axis})).indices;
}

}  // namespace diagrad
