#include "diagrad/ops/transpose.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"

namespace diagrad {
namespace {

Tensor permuted(const Tensor& x, const std::vector<int>& axes) {
  Shape shape = x.shape();
  Shape strides = x.strides();
  for (int i = 0; i < x.rank(); ++i) {
    shape[i] = x.shape()[axes[static_cast<size_t>(i)]];
    strides[i] = x.strides()[axes[static_cast<size_t>(i)]];
  }
  return x.strided(shape, strides);
}

}  // namespace

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  std::vector<int> order;
  std::vector<int> inverse(static_cast<size_t>(x.rank()), -1);
  for (const int axis : axes) {
    const int place = normalize_axis("permute", axis, x.rank());
    inverse[static_cast<size_t>(place)] = static_cast<int>(order.size());
    order.push_back(place);
  }
  bool complete = order.size() == inverse.size();
  for (const int place : inverse) complete = complete && place >= 0;
  DG_CHECK(complete, "permute: axes [{}] do not name each of the {} axes of shape {} once",
           fmt::join(axes, ","), x.rank(), x.shape());
  return autograd::record({"permute"}, {x}, permuted(x, order),
                          [inverse](const autograd::BackwardContext& context) {
                            return autograd::Gradients{permuted(context.gradient(), inverse)};
                          });
}

Tensor transpose(const Tensor& x, int a, int b) {
  std::vector<int> axes(static_cast<size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<size_t>(normalize_axis("transpose", a, x.rank()))],
            axes[static_cast<size_t>(normalize_axis("transpose", b, x.rank()))]);
  return permute(x, axes);
}

}  // namespace diagrad
