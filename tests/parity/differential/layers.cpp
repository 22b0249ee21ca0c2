#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "diagrad/ops/conv_batch_norm.h"
#include "diagrad/ops/dia_cell.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/lstm_gates.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/scaled_dot_product.h"
#include "tests/parity/differential/operation.h"

namespace diagrad::parity {
namespace {

using In = std::span<const Tensor>;
using Out = std::vector<Tensor>;

double as_number(bool value) {
  return value ? 1.0 : 0.0;
}

CaseBody draw_linear(Draw& draw) {
  Shape shape = draw.shape_or_empty(0, 3);
  const int64_t inputs = draw.between(1, 40);
  const int64_t outputs = draw.between(1, 40);
  shape.push_back(inputs);
  return {{draw.floats(shape), draw.floats({outputs, inputs}), draw.maybe({outputs})},
          [](In in) { return Out{linear(in[0], in[1], in[2])}; }};
}

CaseBody draw_gelu_linear(Draw& draw) {
  CaseBody body = draw_linear(draw);
  const bool tanh_form = draw.chance(50);
  body.options = {{"tanh", {as_number(tanh_form)}}};
  body.run = [form = tanh_form ? GeluForm::tanh : GeluForm::exact](In in) {
    return Out{gelu_linear(in[0], in[1], in[2], form)};
  };
  return body;
}

CaseBody draw_matmul(Draw& draw) {
  const MatmulOptions options{.transpose_a = draw.chance(50), .transpose_b = draw.chance(50)};
  const Shape batch = draw.shape_or_empty(0, 2, 4);
  const int64_t rows = draw.between(1, 20);
  const int64_t inner = draw.between(1, 40);
  const int64_t columns = draw.between(1, 40);
  Shape a = draw.broadcasting(batch);
  Shape b = draw.broadcasting(batch);
  for (const int64_t size :
       {options.transpose_a ? inner : rows, options.transpose_a ? rows : inner})
    a.push_back(size);
  for (const int64_t size :
       {options.transpose_b ? columns : inner, options.transpose_b ? inner : columns})
    b.push_back(size);
  return {{draw.floats(a), draw.floats(b)},
          [=](In in) { return Out{matmul(in[0], in[1], options)}; },
          {{"transpose_a", {as_number(options.transpose_a)}},
           {"transpose_b", {as_number(options.transpose_b)}}}};
}

/// Running statistics, which the operation changes in place: clones, given back as outputs.
struct Statistics {
  Tensor mean, var;

  Statistics(In in, size_t first)
      : mean(in[first].defined() ? in[first].clone() : Tensor()),
        var(in[first + 1].defined() ? in[first + 1].clone() : Tensor()) {}

  Out with(const Tensor& result) const {
    return mean.defined() ? Out{result, mean, var} : Out{result};
  }
};

/// Inputs [.., gamma, beta, running mean, running variance]; training needs no running statistics.
void draw_norm_inputs(Draw& draw, int64_t channels, bool training, CaseBody& body) {
  const bool affine = draw.chance(70);
  const Shape shape{channels};
  body.inputs.push_back(affine ? draw.floats(shape, {0.5, 1.5}) : Input{Tensor(), false});
  body.inputs.push_back(affine ? draw.off_grid(shape) : Input{Tensor(), false});
  const bool running = !training || draw.chance(60);
  body.inputs.push_back(running ? draw.constants(shape, {-1.0, 1.0}) : Input{Tensor(), false});
  body.inputs.push_back(running ? draw.constants(shape, {0.5, 2.0}) : Input{Tensor(), false});
}

BatchNormOptions draw_norm_options(Draw& draw, CaseBody& body) {
  const BatchNormOptions options{.training = draw.chance(60),
                                 .momentum = draw.pick({0.1, 0.01, 1.0}),
                                 .epsilon = draw.pick({1e-5, 1e-3})};
  body.options = {{"training", {as_number(options.training)}},
                  {"momentum", {options.momentum}},
                  {"epsilon", {options.epsilon}}};
  return options;
}

/// Enough values per channel that a gradient is not what rounding leaves of a difference.
Shape draw_norm_shape(Draw& draw) {
  Shape shape{draw.between(3, 6)};
  for (int64_t axes = draw.between(0, 2); axes > 0; --axes) shape.push_back(draw.between(1, 7));
  shape.push_back(draw.between(1, 20));
  return shape;
}

Operation batch_norm_case(bool relu) {
  return {relu ? "batch_norm_relu" : "batch_norm", [=](Draw& draw) {
            CaseBody body;
            const BatchNormOptions options = draw_norm_options(draw, body);
            const Shape shape = draw_norm_shape(draw);
            body.inputs = {draw.floats(shape)};
            draw_norm_inputs(draw, shape.back(), options.training, body);
            body.run = [=](In in) {
              const Statistics running(in, 3);
              const auto norm = relu ? batch_norm_relu : batch_norm;
              return running.with(norm(in[0], in[1], in[2], running.mean, running.var, options));
            };
            return body;
          }};
}

/// The tail of a residual block: no factors, given ones, or ones that depend on the pooled values.
enum class Factors { none, given, pooled };

Tensor finish(BnScaleAddRelu& tail, Factors factors, const Tensor& s, const Tensor& residual) {
  if (factors == Factors::none) return tail.add_relu(residual);
  return tail.scale_add_relu(factors == Factors::given ? s : mul(s, sigmoid(tail.pooled())),
                             residual);
}

CaseBody draw_bn_scale_add_relu(Draw& draw) {
  CaseBody body;
  const BatchNormOptions options = draw_norm_options(draw, body);
  const Shape shape = draw_norm_shape(draw);
  const auto factors = draw.pick({Factors::none, Factors::given, Factors::pooled});
  body.inputs = {draw.floats(shape)};
  draw_norm_inputs(draw, shape.back(), options.training, body);
  body.inputs.push_back(draw.off_grid(shape));
  body.inputs.push_back(factors == Factors::none ? Input{Tensor(), false}
                                                 : draw.floats({shape[0], shape.back()}));
  body.options["factors"] = {static_cast<double>(factors)};
  body.run = [=](In in) {
    const Statistics running(in, 3);
    BnScaleAddRelu tail(in[0], in[1], in[2], running.mean, running.var, options,
                        factors == Factors::pooled);
    return running.with(finish(tail, factors, in[6], in[5]));
  };
  return body;
}

/// Images, a 1x1 or 3x3 convolution, and what follows it.
Operation conv_norm_case(std::string name, bool tail) {
  return {std::move(name), [=](Draw& draw) {
            CaseBody body;
            const BatchNormOptions options = draw_norm_options(draw, body);
            const int64_t kernel = draw.pick({1, 1, 3});
            const Shape shape{draw.between(2, 4), draw.between(3, 8), draw.between(3, 8),
                              draw.between(1, 20)};
            const int64_t channels = draw.between(1, 20);
            const Shape result{shape[0], shape[1], shape[2], channels};
            const auto factors =
                tail ? draw.pick({Factors::none, Factors::given, Factors::pooled}) : Factors::none;
            body.inputs = {draw.floats(shape),
                           draw.floats({channels, kernel, kernel, shape.back()}, {-1.0, 1.0})};
            draw_norm_inputs(draw, channels, options.training, body);
            if (tail) {
              body.inputs.push_back(draw.off_grid(result));
              body.inputs.push_back(factors == Factors::none ? Input{Tensor(), false}
                                                             : draw.floats({shape[0], channels}));
            }
            const int64_t half = kernel / 2;
            body.options["padding"] = {static_cast<double>(half)};
            body.options["factors"] = {static_cast<double>(factors)};
            body.run = [=](In in) {
              const Convolution convolution{in[1], {.padding = kernel / 2}};
              const Statistics running(in, 4);
              if (!tail) {
                return running.with(conv_batch_norm_relu(in[0], convolution, in[2], in[3],
                                                         running.mean, running.var, options));
              }
              BnScaleAddRelu end(in[0], convolution, in[2], in[3], running.mean, running.var,
                                 options, factors == Factors::pooled);
              return running.with(finish(end, factors, in[7], in[6]));
            };
            return body;
          }};
}

CaseBody draw_group_norm(Draw& draw) {
  const int64_t groups = draw.between(1, 4);
  Shape shape{draw.between(1, 4)};
  for (int64_t axes = draw.between(0, 2); axes > 0; --axes) shape.push_back(draw.between(2, 6));
  shape.push_back(groups * draw.between(3, 7));
  const double epsilon = draw.pick({1e-5, 1e-3});
  const Shape channels{shape.back()};
  return {{draw.floats(shape), draw.maybe(channels, {0.5, 1.5}), draw.maybe(channels)},
          [=](In in) {
            return Out{group_norm(in[0], in[1], in[2], {.groups = groups, .epsilon = epsilon})};
          },
          {{"groups", {static_cast<double>(groups)}}, {"epsilon", {epsilon}}}};
}

CaseBody draw_group_norm_silu_conv2d(Draw& draw) {
  const GroupNormOptions norm{.groups = draw.between(1, 4), .epsilon = draw.pick({1e-5, 1e-3})};
  const Shape shape{draw.between(1, 3), draw.between(2, 7), draw.between(2, 7),
                    norm.groups * draw.between(3, 7)};
  const int64_t outputs = draw.between(1, 20);
  const int64_t kernel = draw.pick({1, 3});
  const int64_t padding = kernel / 2;
  const int64_t stride = draw.between(1, 2);
  const Shape channels{shape.back()};
  return {{draw.floats(shape), draw.floats({outputs, kernel, kernel, shape.back()}),
           draw.maybe({outputs}), draw.maybe(channels, {0.5, 1.5}), draw.maybe(channels),
           draw.maybe({shape[0], shape.back()})},
          [=](In in) {
            return Out{group_norm_silu_conv2d({in[0], in[3], in[4], in[5], norm}, in[1], in[2],
                                              {.stride = stride, .padding = padding})};
          },
          {{"groups", {static_cast<double>(norm.groups)}},
           {"epsilon", {norm.epsilon}},
           {"stride", {static_cast<double>(stride)}},
           {"padding", {static_cast<double>(padding)}}}};
}

CaseBody draw_layer_norm(Draw& draw) {
  Shape shape = draw.shape_or_empty(0, 2);
  shape.push_back(draw.between(3, 70));
  const double epsilon = draw.pick({1e-5, 1e-3});
  const Shape width{shape.back()};
  return {{draw.floats(shape), draw.maybe(width, {0.5, 1.5}), draw.maybe(width)},
          [=](In in) { return Out{layer_norm(in[0], in[1], in[2], epsilon)}; },
          {{"epsilon", {epsilon}}}};
}

CaseBody draw_layer_norm_linear(Draw& draw) {
  CaseBody body = draw_layer_norm(draw);
  const double epsilon = body.options.at("epsilon")[0];
  const int64_t inputs = body.inputs[0].values.size(-1);
  const int64_t outputs = draw.between(1, 40);
  body.inputs.push_back(draw.floats({outputs, inputs}));
  body.inputs.push_back(draw.maybe({outputs}));
  body.run = [=](In in) {
    return Out{layer_norm_linear(in[0], in[1], in[2], in[3], in[4], epsilon)};
  };
  return body;
}

GateOutput draw_output(Draw& draw, Options& options) {
  const auto output = draw.pick({GateOutput::sigmoid, GateOutput::tanh, GateOutput::relu});
  options["output"] = {static_cast<double>(output)};
  return output;
}

CaseBody draw_lstm_gates(Draw& draw) {
  const int64_t batch = draw.between(0, 6);
  const int64_t channels = draw.between(1, 20);
  CaseBody body;
  const GateOutput output = draw_output(draw, body.options);
  body.inputs = {draw.floats({batch, 4 * channels}, {-4.0, 4.0}), draw.floats({batch, channels})};
  body.run = [=](In in) {
    const LstmState state = lstm_gates(in[0], in[1], {.output = output});
    return Out{state.h, state.c};
  };
  return body;
}

CaseBody draw_dia_cell(Draw& draw) {
  const int64_t batch = draw.between(1, 6);
  const int64_t channels = draw.between(1, 20);
  const int64_t hidden = draw.between(1, 6);
  CaseBody body;
  const GateOutput output = draw_output(draw, body.options);
  for (int i = 0; i < 3; ++i) body.inputs.push_back(draw.floats({batch, channels}));
  for (int side = 0; side < 2; ++side) {
    body.inputs.push_back(draw.floats({hidden, channels}, {-1.0, 1.0}));
    body.inputs.push_back(draw.floats({hidden}, {-1.0, 1.0}));
    body.inputs.push_back(draw.floats({4 * channels, hidden}, {-1.0, 1.0}));
    body.inputs.push_back(draw.floats({4 * channels}, {-1.0, 1.0}));
  }
  body.run = [=](In in) {
    const LstmState state = dia_cell(in[0], {in[1], in[2]}, {in[3], in[4], in[5], in[6]},
                                     {in[7], in[8], in[9], in[10]}, {.output = output});
    return Out{state.h, state.c};
  };
  return body;
}

/// Shapes and options of attention; draws q and k.
struct AttentionCase {
  Shape q, k, v;
  ScaledDotProductOptions options;

  AttentionCase(Draw& draw, CaseBody& body) {
    const Shape heads = draw.shape_or_empty(2, 2, 3);
    const int64_t width = draw.between(1, 20);
    q = {heads[0], heads[1], draw.between(1, 60), width};
    k = {heads[0], heads[1], draw.between(1, 60), width};
    v = {heads[0], heads[1], k[2], draw.between(1, 20)};
    options.causal = draw.chance(30);
    options.scale = draw.pick({0.0, 0.25, 1.0});
    body.options = {{"causal", {as_number(options.causal)}}, {"scale", {options.scale}}};
    body.inputs = {draw.floats(q), draw.floats(k)};
  }

  /// PyTorch takes a mask or the causal flag, not both.
  Input mask(Draw& draw) const {
    const int64_t kind = options.causal ? 0 : draw.between(0, 2);
    const Shape shape = draw.broadcasting({q[0], q[1], q[2], k[2]});
    if (kind == 0) return {Tensor(), false};
    return kind == 1 ? draw.bits(shape) : draw.constants(shape, {-2.0, 2.0});
  }
};

CaseBody draw_attention(Draw& draw) {
  CaseBody body;
  const AttentionCase test(draw, body);
  body.inputs.push_back(draw.floats(test.v));
  body.inputs.push_back(test.mask(draw));
  body.run = [options = test.options](In in) {
    ScaledDotProductOptions with_mask = options;
    with_mask.mask = in[3];
    return Out{scaled_dot_product_attention(in[0], in[1], in[2], with_mask)};
  };
  return body;
}

CaseBody draw_packed_attention(Draw& draw) {
  const Shape sizes = draw.shape_or_empty(2, 2, 40);
  const int64_t heads = draw.between(1, 4);
  CaseBody body;
  body.options = {{"heads", {static_cast<double>(heads)}}};
  body.inputs = {draw.floats({sizes[0], sizes[1], 3 * heads * draw.between(1, 20)})};
  body.run = [heads](In in) { return Out{packed_attention(in[0], heads)}; };
  return body;
}

CaseBody draw_attention_weights(Draw& draw) {
  CaseBody body;
  const AttentionCase test(draw, body);
  for (Input& input : body.inputs) input.differentiable = false;
  body.inputs.push_back(test.mask(draw));
  std::vector<int64_t> rows;
  for (int64_t count = draw.between(0, 5); count > 0; --count) {
    rows.push_back(draw.between(0, test.q[2] - 1));
  }
  body.options["rows"] = {rows.begin(), rows.end()};
  body.run = [options = test.options, rows](In in) {
    ScaledDotProductOptions with_mask = options;
    with_mask.mask = in[2];
    return Out{attention_weights(in[0], in[1], rows, with_mask)};
  };
  return body;
}

}  // namespace

std::vector<Operation> layer_operations() {
  return {
      {"linear", draw_linear},
      {"gelu_linear", draw_gelu_linear},
      {"matmul", draw_matmul},
      {"scaled_dot_product_attention", draw_attention},
      {"packed_attention", draw_packed_attention},
      {"attention_weights", draw_attention_weights},
      batch_norm_case(false),
      batch_norm_case(true),
      {"bn_scale_add_relu", draw_bn_scale_add_relu},
      conv_norm_case("conv_batch_norm_relu", false),
      conv_norm_case("conv_bn_scale_add_relu", true),
      {"group_norm", draw_group_norm},
      {"group_norm_silu_conv2d", draw_group_norm_silu_conv2d},
      {"layer_norm", draw_layer_norm},
      {"layer_norm_linear", draw_layer_norm_linear},
      {"lstm_gates", draw_lstm_gates},
      {"dia_cell", draw_dia_cell},
  };
}

}  // namespace diagrad::parity
