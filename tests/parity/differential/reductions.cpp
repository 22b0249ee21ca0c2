#include "diagrad/ops/losses.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/softmax.h"
#include "tests/parity/differential/operation.h"

namespace diagrad::parity {
namespace {

using In = std::span<const Tensor>;
using Out = std::vector<Tensor>;

struct Axes {
  std::vector<int> list;
  bool keep = false;
  std::vector<double> numbers;
};

/// Some axes of a tensor of `rank`, some counted from the end; none stands for all.
Axes draw_axes(Draw& draw, int rank) {
  Axes axes;
  axes.keep = draw.chance(50);
  for (int axis = 0; axis < rank; ++axis) {
    if (draw.chance(50)) axes.list.push_back(draw.chance(50) ? axis : axis - rank);
  }
  axes.numbers.assign(axes.list.begin(), axes.list.end());
  return axes;
}

Options options_of(const Axes& axes) {
  return {{"axes", axes.numbers}, {"keep", {axes.keep ? 1.0 : 0.0}}};
}

/// A size along one axis that is longer now and then, so that sums have several parts.
Shape draw_long_shape(Draw& draw, int lowest_rank) {
  Shape shape = draw.shape(lowest_rank, 4);
  if (shape.rank() > 0 && draw.chance(30)) {
    shape[static_cast<int>(draw.between(0, shape.rank() - 1))] = draw.between(30, 70);
  }
  return shape;
}

Operation reduction(std::string name, Tensor (*function)(const Tensor&, const ReduceOptions&)) {
  return {std::move(name), [=](Draw& draw) {
            const Shape shape = draw_long_shape(draw, 0);
            const Axes axes = draw_axes(draw, shape.rank());
            return CaseBody{
                {draw.floats(shape)},
                [=](In in) {
                  return Out{function(in[0], {.axes = axes.list, .keep_dims = axes.keep})};
                },
                options_of(axes)};
          }};
}

CaseBody draw_var(Draw& draw) {
  Shape shape = draw_long_shape(draw, 1);
  for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] += 1;
  const Axes axes = draw_axes(draw, shape.rank());
  const bool unbiased = draw.chance(50);
  const double offset = draw.pick({0.0, 0.0, 32.0});
  CaseBody body{{draw.floats(shape, {offset - 2.0, offset + 2.0})},
                [=](In in) {
                  return Out{var(in[0], {axes.list, axes.keep, unbiased})};
                },
                options_of(axes)};
  body.options["unbiased"] = {unbiased ? 1.0 : 0.0};
  return body;
}

CaseBody draw_argmax(Draw& draw) {
  const Shape shape = draw_long_shape(draw, 1);
  const auto axis = static_cast<int>(draw.between(-shape.rank(), shape.rank() - 1));
  return {{draw.floats(shape)},
          [=](In in) { return Out{argmax(in[0], axis)}; },
          {{"axis", {static_cast<double>(axis)}}}};
}

Operation along_axis(std::string name, Tensor (*function)(const Tensor&, int)) {
  return {std::move(name), [=](Draw& draw) {
            const Shape shape = draw_long_shape(draw, 1);
            const auto axis = static_cast<int>(draw.between(-shape.rank(), shape.rank() - 1));
            const double width = draw.pick({2.0, 16.0});
            return CaseBody{{draw.floats(shape, {-width, width})},
                            [=](In in) { return Out{function(in[0], axis)}; },
                            {{"axis", {static_cast<double>(axis)}}}};
          }};
}

CaseBody draw_cross_entropy(Draw& draw) {
  const int64_t batch = draw.between(1, 9);
  const int64_t classes = draw.between(1, 40);
  const double smoothing = draw.pick({0.0, 0.1, 1.0});
  const double width = draw.pick({2.0, 16.0});
  return {{draw.floats({batch, classes}, {-width, width}), draw.labels({batch}, classes)},
          [=](In in) { return Out{cross_entropy(in[0], in[1], {.label_smoothing = smoothing})}; },
          {{"smoothing", {smoothing}}}};
}

CaseBody draw_cross_entropy_soft(Draw& draw) {
  const Shape shape{draw.between(1, 9), draw.between(1, 40)};
  return {{draw.floats(shape, {-8.0, 8.0}), draw.floats(shape, {0.0, 1.0})},
          [](In in) { return Out{cross_entropy_soft(in[0], in[1])}; }};
}

Operation elementwise_loss(std::string name, Tensor (*function)(const Tensor&, const Tensor&),
                           const Range& x, const Range& y) {
  return {std::move(name), [=](Draw& draw) {
            const Shape shape = draw_long_shape(draw, 0);
            return CaseBody{{draw.floats(shape, x), draw.floats(shape, y)},
                            [=](In in) { return Out{function(in[0], in[1])}; }};
          }};
}

CaseBody draw_global_avg_pool(Draw& draw) {
  return {{draw.floats(draw_long_shape(draw, 2))},
          [](In in) { return Out{global_avg_pool(in[0])}; }};
}

}  // namespace

std::vector<Operation> reduction_operations() {
  return {
      reduction("sum", sum),
      reduction("mean", mean),
      reduction("max", max),
      {"var", draw_var},
      {"argmax", draw_argmax},
      along_axis("softmax", softmax),
      along_axis("log_softmax", log_softmax),
      {"cross_entropy", draw_cross_entropy},
      {"cross_entropy_soft", draw_cross_entropy_soft},
      elementwise_loss("mse", mse, {}, {}),
      elementwise_loss("bce_with_logits", bce_with_logits, {-8.0, 8.0}, {0.0, 1.0}),
      {"global_avg_pool", draw_global_avg_pool},
  };
}

}  // namespace diagrad::parity
