#include "diagrad/ops/dia_cell.h"

#include <array>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/lstm_gates_kernels.h"
#include "diagrad/ops/matmul_kernels.h"
#include "diagrad/ops/unary_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// Inputs of the operation by position: y, h and c, then the tensors of the two sides.
constexpr int kStateC = 2;
constexpr int kInputs = 11;
struct SidePlaces {
  int input, down, down_bias, up, up_bias;
};
constexpr std::array<SidePlaces, 2> kPlaces{SidePlaces{0, 3, 4, 5, 6}, {1, 7, 8, 9, 10}};

void check_side(const char* side, const DiaBottleneck& b, const Tensor& y) {
  const int64_t channels = y.size(1);
  const int64_t hidden = b.down.rank() == 2 ? b.down.size(0) : 0;
  DG_CHECK(b.down.shape() == Shape({hidden, channels}) && b.down_bias.shape() == Shape({hidden}) &&
               b.up.shape() == Shape({4 * channels, hidden}) &&
               b.up_bias.shape() == Shape({4 * channels}),
           "dia_cell: weights of the {} side are {}, {}, {}, {}; expected [m,{}], [m], [{},m], "
           "[{}] for input {}",
           side, b.down.shape(), b.down_bias.shape(), b.up.shape(), b.up_bias.shape(), channels,
           4 * channels, 4 * channels, y.shape());
}

void check(const std::array<Tensor, kInputs>& inputs, const LstmState& state,
           const DiaBottleneck& x, const DiaBottleneck& h) {
  const Tensor& y = inputs[0];
  DG_CHECK(y.rank() == 2 && state.h.shape() == y.shape() && state.c.shape() == y.shape(),
           "dia_cell: expected input [B,C] and a state of that shape, got {}, h {} and c {}",
           y.shape(), state.h.shape(), state.c.shape());
  check_side("input", x, y);
  check_side("state", h, y);
  for (const Tensor& input : inputs) {
    DG_CHECK(input.dtype() == y.dtype(),
             "dia_cell: input is {} but a tensor {} of state or weights is {}; convert with to() "
             "so that they agree",
             y.dtype(), input.shape(), input.dtype());
  }
}

/// A contiguous matrix as an operand.
MatrixOperand dense(const Tensor& matrix, bool transposed = false) {
  const Tensor rows = matrix.contiguous();
  return {rows, rows.size(1), transposed};
}

/// y = a b, or y += a b; y is [m,n] and contiguous.
void multiply(const MatrixOperand& a, const MatrixOperand& b, const Tensor& y, int64_t inner,
              bool accumulate = false, const Tensor& bias = {}) {
  MatrixProduct product{y.size(0), y.size(1), inner, a, b, y, y.size(1), bias};
  product.accumulate = accumulate;
  matrix_product_kernel.on(y.device())(product);
}

/// relu(input down^T + bias); then u = that up^T + bias, or u += it.
Tensor run_side(const Tensor& input, const DiaBottleneck& b, const Tensor& u, bool accumulate) {
  const int64_t hidden_size = b.down.size(0);
  const Tensor hidden = Tensor::empty({u.size(0), hidden_size}, u.dtype(), u.device());
  multiply(dense(input), dense(b.down, true), hidden, input.size(1), false,
           b.down_bias.contiguous());
  unary_kernel.on(u.device())(UnaryFunction::relu, 0.0, 0.0, hidden, hidden);
  multiply(dense(hidden), dense(b.up, true), u, hidden_size, accumulate, b.up_bias.contiguous());
  return hidden;
}

struct SavedSide {
  SavedTensor input, hidden, down, up;
};

/// The gradient of a weight, c = a^T b, added to its sum so far where there is one.
Tensor weight_gradient(const BackwardContext& context, int place, const Tensor& a,
                       const Tensor& b) {
  const Tensor sum = context.take_grad_accumulator(place);
  const Tensor c =
      sum.defined() ? sum : Tensor::empty({a.size(1), b.size(1)}, a.dtype(), a.device());
  multiply(dense(a, true), dense(b), c, a.size(0), sum.defined());
  return c;
}

Tensor bias_gradient(const Tensor& dy) {
  const Tensor db = Tensor::empty({dy.size(1)}, dy.dtype(), dy.device());
  bias_gradient_kernel.on(dy.device())(dy, db);
  return db;
}

/// The gradients of one side from those of the pre-activations.
void side_backward(const BackwardContext& context, const SidePlaces& at, const SavedSide& saved,
                   const Tensor& du, Gradients& gradients) {
  const auto gradient_of = [&](int place) -> Tensor& {
    return gradients[static_cast<size_t>(place)];
  };
  const Tensor& hidden = saved.hidden.get(context);
  if (context.needs(at.up)) gradient_of(at.up) = weight_gradient(context, at.up, du, hidden);
  if (!context.needs(at.input) && !context.needs(at.down) && !context.needs(at.down_bias)) return;
  const Tensor dhidden = Tensor::empty_like(hidden);
  multiply(dense(du), dense(saved.up.get(context)), dhidden, du.size(1));
  unary_backward_kernel.on(du.device())(UnaryFunction::relu, 0.0, 0.0, hidden, dhidden, dhidden);
  if (context.needs(at.down)) {
    gradient_of(at.down) = weight_gradient(context, at.down, dhidden, saved.input.get(context));
  }
  if (context.needs(at.down_bias)) gradient_of(at.down_bias) = bias_gradient(dhidden);
  if (context.needs(at.input)) {
    const Tensor& down = saved.down.get(context);
    gradient_of(at.input) = Tensor::empty({du.size(0), down.size(1)}, du.dtype(), du.device());
    multiply(dense(dhidden), dense(down), gradient_of(at.input), hidden.size(1));
  }
}

struct Saved {
  std::array<SavedSide, 2> sides;
  SavedTensor gates, c_prev, c;
  GateOutput output;
};

Gradients backward(const BackwardContext& context, const Saved& saved) {
  LstmGatesBackward pass;
  pass.gates = saved.gates.get(context);
  pass.c_prev = saved.c_prev.get(context);
  pass.c = saved.c.get(context);
  pass.output = saved.output;
  if (context.has_gradient(0)) pass.dh = context.gradient(0).contiguous();
  if (context.has_gradient(1)) pass.dc = context.gradient(1).contiguous();
  pass.du = Tensor::empty_like(pass.gates);
  if (context.needs(kStateC)) pass.dc_prev = Tensor::empty_like(pass.c);
  lstm_gates_backward_kernel.on(pass.c.device())(pass);

  Gradients gradients(kInputs);
  gradients[kStateC] = pass.dc_prev;
  Tensor dbias;  // of both upper layers
  for (size_t side = 0; side < 2; ++side) {
    const SidePlaces& at = kPlaces[side];
    side_backward(context, at, saved.sides[side], pass.du, gradients);
    if (!context.needs(at.up_bias)) continue;
    if (!dbias.defined()) dbias = bias_gradient(pass.du);
    gradients[static_cast<size_t>(at.up_bias)] = dbias;
  }
  return gradients;
}

}  // namespace

LstmState dia_cell(const Tensor& y, const LstmState& state, const DiaBottleneck& x,
                   const DiaBottleneck& h, const LstmGatesOptions& options) {
  const std::array<Tensor, kInputs> inputs{y,           state.h, state.c,   x.down,
                                           x.down_bias, x.up,    x.up_bias, h.down,
                                           h.down_bias, h.up,    h.up_bias};
  check(inputs, state, x, h);
  const int64_t batch = y.size(0);
  const int64_t channels = y.size(1);
  const Tensor u = Tensor::empty({batch, 4 * channels}, y.dtype(), y.device());
  const Tensor x_hidden = run_side(y, x, u, false);
  const Tensor h_hidden = run_side(state.h, h, u, true);
  const Tensor previous = state.c.contiguous();
  LstmState next{Tensor::empty_like(previous), Tensor::empty_like(previous)};
  lstm_gates_forward_kernel.on(y.device())({u, previous, options.output, u, next.c, next.h});

  const Saved saved{
      {SavedSide{SavedTensor(y), SavedTensor(x_hidden), SavedTensor(x.down), SavedTensor(x.up)},
       SavedSide{SavedTensor(state.h), SavedTensor(h_hidden), SavedTensor(h.down),
                 SavedTensor(h.up)}},
      SavedTensor(u),
      SavedTensor(previous),
      SavedTensor(next.c),
      options.output};
  const int64_t multiply_adds = 5 * batch * channels * (x_hidden.size(1) + h_hidden.size(1));
  const std::vector<Tensor> outputs = autograd::record(
      {"dia_cell", multiply_adds}, inputs, std::vector<Tensor>{next.h, next.c},
      [saved](const BackwardContext& context) { return backward(context, saved); });
  return {outputs[0], outputs[1]};
}

}  // namespace diagrad
