#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/inplace.h"
#include "diagrad/ops/unary.h"
#include "diagrad/ops/where.h"
#include "tests/parity/differential/operation.h"

namespace diagrad::parity {
namespace {

using In = std::span<const Tensor>;
using Out = std::vector<Tensor>;

Operation unary(std::string name, Tensor (*function)(const Tensor&), const Range& range = {}) {
  return {std::move(name), [=](Draw& draw) {
            return CaseBody{{draw.floats(draw.shape_or_empty(0, 5), range)},
                            [=](In in) { return Out{function(in[0])}; }};
          }};
}

/// Two arguments that broadcast against each other.
std::vector<Input> draw_pair(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  const Shape smaller = draw.broadcasting(shape);
  return draw.chance(50) ? std::vector<Input>{draw.floats(shape), draw.floats(smaller)}
                         : std::vector<Input>{draw.floats(smaller), draw.floats(shape)};
}

Operation binary(std::string name, Tensor (*function)(const Tensor&, const Tensor&)) {
  return {std::move(name), [=](Draw& draw) {
            return CaseBody{draw_pair(draw), [=](In in) { return Out{function(in[0], in[1])}; }};
          }};
}

CaseBody draw_pow(Draw& draw) {
  const double exponent = draw.pick({0.0, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0, -1.5});
  const bool whole = exponent == static_cast<double>(static_cast<int64_t>(exponent));
  return {{draw.floats(draw.shape_or_empty(0, 4), whole ? Range{} : Range{0.0, 3.0})},
          [=](In in) { return Out{pow(in[0], exponent)}; },
          {{"exponent", {exponent}}}};
}

CaseBody draw_clamp(Draw& draw) {
  const double low = draw.quarter(-1.5, 1.0);
  const double high = low + draw.quarter(0.0, 1.5);
  return {{draw.floats(draw.shape_or_empty(0, 4))},
          [=](In in) { return Out{clamp(in[0], low, high)}; },
          {{"low", {low}}, {"high", {high}}}};
}

CaseBody draw_affine(Draw& draw) {
  const double scale = draw.quarter(-2.0, 2.0);
  const double shift = draw.quarter(-2.0, 2.0);
  return {{draw.floats(draw.shape_or_empty(0, 4))},
          [=](In in) { return Out{affine(in[0], scale, shift)}; },
          {{"scale", {scale}}, {"shift", {shift}}}};
}

CaseBody draw_scalar_arithmetic(Draw& draw) {
  const double s = draw.pick({0.1, -1.7, 3.0, 0.25, 1e-3});
  return {{draw.floats(draw.shape_or_empty(0, 4))},
          [=](In in) {
            const Tensor& x = in[0];
            return Out{x + s, x - s, x * s, x / s, s + x, s - x, s * x, -x};
          },
          {{"s", {s}}}};
}

CaseBody draw_cast(Draw& draw) {
  const int64_t target = draw.between(0, 2);
  return {{draw.floats(draw.shape_or_empty(0, 4))},
          [=](In in) {
            const DType dtypes[] = {DType::f32, DType::f64, DType::bf16};
            return Out{cast(in[0], dtypes[target])};
          },
          {{"target", {static_cast<double>(target)}}}};
}

CaseBody draw_expand(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  std::vector<double> sizes(shape.begin(), shape.end());
  return {{draw.floats(draw.broadcasting(shape))},
          [=](In in) { return Out{expand(in[0], shape)}; },
          {{"shape", sizes}}};
}

CaseBody draw_where(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  return {{draw.bits(draw.broadcasting(shape)), draw.floats(shape),
           draw.floats(draw.broadcasting(shape))},
          [](In in) { return Out{where(in[0], in[1], in[2])}; }};
}

/// The mask is an input, for PyTorch cannot know it: 1 where an element is kept.
Operation dropout_case(bool whole_samples) {
  return {whole_samples ? "drop_path" : "dropout", [=](Draw& draw) {
            const DropoutOptions options{.p = draw.pick({0.0, 0.1, 0.5, 0.9, 1.0}),
                                         .seed = static_cast<uint64_t>(draw.between(0, 1000)),
                                         .stream = 3};
            const auto apply = [=](const Tensor& x) {
              return whole_samples ? drop_path(x, options) : dropout(x, options);
            };
            const Shape shape = draw.shape_or_empty(whole_samples ? 1 : 0, 4);
            const Tensor ones = Tensor::ones(shape, DType::f64);
            const Tensor mask = greater(apply(ones), Tensor::zeros({}, DType::f64));
            return CaseBody{{draw.floats(shape), {mask, false}},
                            [=](In in) { return Out{apply(in[0])}; },
                            {{"p", {options.p}}}};
          }};
}

enum class Scaling { plain, add, add_relu };

Operation channel_scale_case(std::string name, Scaling scaling) {
  return {std::move(name), [=](Draw& draw) {
            const Shape shape = draw.shape_or_empty(2, 4, 9);
            CaseBody body;
            body.inputs = {draw.floats(shape), draw.floats({shape[0], shape.back()})};
            if (scaling != Scaling::plain) body.inputs.push_back(draw.floats(shape));
            body.run = [=](In in) {
              if (scaling == Scaling::plain) return Out{channel_scale(in[0], in[1])};
              return Out{scaling == Scaling::add ? channel_scale_add(in[0], in[1], in[2])
                                                 : channel_scale_add_relu(in[0], in[1], in[2])};
            };
            return body;
          }};
}

/// All changes in place, each of a copy of the first argument.
CaseBody draw_in_place(Draw& draw) {
  const Shape shape = draw.shape_or_empty(0, 4);
  const double alpha = draw.quarter(-2.0, 2.0);
  std::vector<Input> inputs{draw.floats(shape), draw.floats(shape)};
  for (Input& input : inputs) input.differentiable = false;
  return {inputs,
          [=](In in) {
            Out out;
            for (int i = 0; i < 5; ++i) out.push_back(in[0].clone());
            add_(out[0], in[1], alpha);
            mul_(out[1], in[1]);
            mul_(out[2], alpha);
            zero_(out[3]);
            copy_(out[4], in[1]);
            return out;
          },
          {{"alpha", {alpha}}}};
}

}  // namespace

std::vector<Operation> elementwise_operations() {
  return {
      unary("neg", neg),
      unary("exp", exp, {-4.0, 4.0}),
      unary("log", log, {0.0, 8.0}),
      unary("sqrt", sqrt, {0.0, 8.0}),
      unary("abs", abs),
      {"pow", draw_pow},
      {"clamp", draw_clamp},
      {"affine", draw_affine},
      unary("sigmoid", sigmoid, {-8.0, 8.0}),
      unary("tanh", tanh, {-4.0, 4.0}),
      unary("relu", relu),
      unary("gelu", gelu, {-6.0, 6.0}),
      unary("gelu_tanh", gelu_tanh, {-6.0, 6.0}),
      unary("silu", silu, {-8.0, 8.0}),
      unary("softplus", softplus, {-32.0, 32.0}),
      unary("hardswish", hardswish, {-4.0, 4.0}),
      binary("add", add),
      binary("sub", sub),
      binary("mul", mul),
      binary("div", div),
      binary("equal", equal),
      binary("greater", greater),
      binary("less", less),
      {"scalar_arithmetic", draw_scalar_arithmetic, {"add", "sub", "mul", "div", "neg"}},
      {"cast", draw_cast},
      {"expand", draw_expand},
      {"where", draw_where},
      dropout_case(false),
      dropout_case(true),
      channel_scale_case("channel_scale", Scaling::plain),
      channel_scale_case("channel_scale_add", Scaling::add),
      channel_scale_case("channel_scale_add_relu", Scaling::add_relu),
      {"in_place", draw_in_place, {"add_", "mul_", "zero_", "copy_"}},
  };
}

}  // namespace diagrad::parity
