#include "diagrad/ops/concat.h"
#include "diagrad/ops/embedding.h"
#include "diagrad/ops/pad.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/transpose.h"
#include "tests/parity/differential/operation.h"

namespace diagrad::parity {
namespace {

using In = std::span<const Tensor>;
using Out = std::vector<Tensor>;

std::vector<double> as_doubles(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

/// An axis of a tensor of `rank`, in half of the cases counted from the end.
int draw_axis(Draw& draw, int rank) {
  const auto axis = static_cast<int>(draw.between(0, rank - 1));
  return draw.chance(50) ? axis - rank : axis;
}

int from_start(int axis, int rank) {
  return axis < 0 ? axis + rank : axis;
}

CaseBody draw_concat(Draw& draw) {
  const Shape shape = draw.shape_or_empty(1, 4);
  const int axis = draw_axis(draw, shape.rank());
  CaseBody body;
  for (int64_t count = draw.between(1, 4); count > 0; --count) {
    Shape part = shape;
    part[from_start(axis, shape.rank())] = draw.between(0, 4);
    body.inputs.push_back(draw.floats(part));
  }
  body.run = [=](In in) { return Out{concat(in, axis)}; };
  body.options = {{"axis", {static_cast<double>(axis)}}};
  return body;
}

CaseBody draw_stack(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  const auto axis = static_cast<int>(draw.between(0, shape.rank()));
  CaseBody body;
  for (int64_t count = draw.between(1, 4); count > 0; --count) {
    body.inputs.push_back(draw.floats(shape));
  }
  body.run = [=](In in) { return Out{stack(in, axis)}; };
  body.options = {{"axis", {static_cast<double>(axis)}}};
  return body;
}

CaseBody draw_pad(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  const double value = draw.quarter(-2.0, 2.0);
  std::vector<PadSize> sizes;
  std::vector<double> numbers;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    sizes.push_back({draw.between(0, 2), draw.between(0, 3)});
    numbers.push_back(static_cast<double>(sizes.back().before));
    numbers.push_back(static_cast<double>(sizes.back().after));
  }
  return {{draw.floats(shape)},
          [=](In in) { return Out{pad(in[0], sizes, value)}; },
          {{"sizes", numbers}, {"value", {value}}}};
}

CaseBody draw_reshape(Draw& draw) {
  const Shape shape = draw.shape(1, 4);
  Shape target;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) target.push_back(shape[axis]);
  if (target.rank() > 1 && draw.chance(50)) {
    target[0] *= target[1];
    target.erase(1);
  }
  target[static_cast<int>(draw.between(0, target.rank() - 1))] = -1;
  return {{draw.floats(shape)},
          [=](In in) { return Out{reshape(in[0], target)}; },
          {{"shape", as_doubles(target)}}};
}

CaseBody draw_flatten(Draw& draw) {
  const Shape shape = draw.shape_or_empty(1, 5, 5);
  const auto first = static_cast<int>(draw.between(0, shape.rank() - 1));
  return {{draw.floats(shape)},
          [=](In in) { return Out{flatten(in[0], first)}; },
          {{"first", {static_cast<double>(first)}}}};
}

CaseBody draw_squeeze(Draw& draw) {
  Shape shape = draw.shape_or_empty(1, 4);
  const int axis = draw_axis(draw, shape.rank());
  shape[from_start(axis, shape.rank())] = 1;
  return {{draw.floats(shape)},
          [=](In in) { return Out{squeeze(in[0], axis)}; },
          {{"axis", {static_cast<double>(axis)}}}};
}

CaseBody draw_unsqueeze(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  const auto axis = static_cast<int>(draw.between(0, shape.rank()));
  return {{draw.floats(shape)},
          [=](In in) { return Out{unsqueeze(in[0], axis)}; },
          {{"axis", {static_cast<double>(axis)}}}};
}

CaseBody draw_slice(Draw& draw) {
  const Shape shape = draw.shape(1, 4, 9);
  const int axis = draw_axis(draw, shape.rank());
  const int64_t start = draw.between(-10, 10);
  const int64_t stop = draw.between(-10, 12);
  const int64_t step = draw.between(1, 3);
  return {{draw.floats(shape)},
          [=](In in) { return Out{slice(in[0], axis, start, stop, step)}; },
          {{"axis", {static_cast<double>(axis)}},
           {"range",
            {static_cast<double>(start), static_cast<double>(stop), static_cast<double>(step)}}}};
}

CaseBody draw_chunk(Draw& draw) {
  Shape shape = draw.shape_or_empty(1, 4);
  const int axis = draw_axis(draw, shape.rank());
  const int64_t count = draw.between(1, 4);
  shape[from_start(axis, shape.rank())] = count * draw.between(1, 3);
  return {{draw.floats(shape)},
          [=](In in) { return chunk(in[0], count, axis); },
          {{"axis", {static_cast<double>(axis)}}, {"count", {static_cast<double>(count)}}}};
}

CaseBody draw_transpose(Draw& draw) {
  const Shape shape = draw.shape_or_empty(1, 5, 5);
  const int a = draw_axis(draw, shape.rank());
  const int b = draw_axis(draw, shape.rank());
  return {{draw.floats(shape)},
          [=](In in) { return Out{transpose(in[0], a, b)}; },
          {{"axes", {static_cast<double>(a), static_cast<double>(b)}}}};
}

CaseBody draw_permute(Draw& draw) {
  const Shape shape = draw.shape_or_empty(1, 5, 5);
  std::vector<int> axes;
  std::vector<double> numbers;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    axes.insert(axes.begin() + draw.between(0, axis), axis);
  }
  for (const int axis : axes) numbers.push_back(axis);
  return {
      {draw.floats(shape)}, [=](In in) { return Out{permute(in[0], axes)}; }, {{"axes", numbers}}};
}

CaseBody draw_embedding(Draw& draw) {
  const int64_t rows = draw.between(1, 9);
  const Shape indices = draw.shape_or_empty(0, 3);
  return {{draw.floats({rows, draw.between(1, 19)}), draw.labels(indices, rows)},
          [](In in) { return Out{embedding(in[0], in[1])}; }};
}

CaseBody draw_gather(Draw& draw) {
  const Shape shape = draw.shape(1, 4, 6);
  const int axis = draw_axis(draw, shape.rank());
  Shape index;
  for (int i = 0; i < shape.rank(); ++i) {
    index.push_back(i == from_start(axis, shape.rank()) ? draw.between(0, 8)
                                                        : draw.between(1, shape[i]));
  }
  return {{draw.floats(shape), draw.labels(index, shape[from_start(axis, shape.rank())])},
          [=](In in) { return Out{gather(in[0], axis, in[1])}; },
          {{"axis", {static_cast<double>(axis)}}}};
}

}  // namespace

std::vector<Operation> shape_operations() {
  return {
      {"concat", draw_concat},       {"stack", draw_stack},     {"pad", draw_pad},
      {"reshape", draw_reshape},     {"flatten", draw_flatten}, {"squeeze", draw_squeeze},
      {"unsqueeze", draw_unsqueeze}, {"slice", draw_slice},     {"chunk", draw_chunk},
      {"transpose", draw_transpose}, {"permute", draw_permute}, {"embedding", draw_embedding},
      {"gather", draw_gather},
  };
}

}  // namespace diagrad::parity
