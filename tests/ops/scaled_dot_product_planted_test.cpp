// The gradient checks distrust the backward pass of attention, which makes the weights again: each
// error that is planted there must be found.
#include <doctest/doctest.h>

#include <vector>

#include "diagrad/autograd/record.h"
#include "diagrad/ops/dropout_kernels.h"
#include "diagrad/ops/scaled_dot_product_kernels.h"
#include "tests/support/op_case.h"
#include "tests/support/op_checks.h"

namespace diagrad::testing {
namespace {

enum class Planted { none, log_sum, no_mask, scale, result, dropout };

constexpr int64_t kTokens = 131;  // two blocks of keys

void plant(Planted error, AttentionBackward& back) {
  switch (error) {
    case Planted::none:
      break;
    case Planted::log_sum:  // of one query, as rounding never does
      back.log_sum = back.log_sum.clone();
      back.log_sum.strided({1}, {1}, kTokens - 1).fill_(back.log_sum.strided({1}, {1}).item());
      break;
    case Planted::no_mask:
      back.scores.causal = false;
      break;
    case Planted::scale:
      back.scores.scale *= 1.001;
      break;
    case Planted::result:
      back.y = Tensor::zeros_like(back.y);
      break;
    case Planted::dropout:
      back.dropout.stream += 1;
      break;
  }
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, Planted error) {
  AttentionForward pass;
  pass.scores = {q.contiguous(), k.contiguous(), Tensor(), true, 0.5};
  pass.v = v.contiguous();
  pass.dropout = dropout_mask("attention", {.p = 0.25, .seed = 5, .stream = 6});
  pass.y = Tensor::empty_like(pass.v);
  pass.log_sum = Tensor::empty({q.size(0), q.size(1), q.size(2)}, q.dtype());
  attention_forward_kernel.on(q.device())(pass);
  return autograd::record({"attention"}, {q, k, v}, pass.y,
                          [=](const autograd::BackwardContext& context) {
                            AttentionBackward back;
                            back.scores = pass.scores;
                            back.v = pass.v;
                            back.dropout = pass.dropout;
                            back.y = pass.y.detach();
                            back.log_sum = pass.log_sum;
                            back.dy = context.gradient().contiguous();
                            back.dq = Tensor::empty_like(pass.scores.q);
                            back.dk = Tensor::empty_like(pass.scores.k);
                            back.dv = Tensor::empty_like(pass.v);
                            plant(error, back);
                            attention_backward_kernel.on(back.dy.device())(back);
                            return autograd::Gradients{back.dq, back.dk, back.dv};
                          });
}

OpCase case_with(Planted error) {
  OpCase result;
  result.op = "attention";
  result.variant = "planted";
  result.inputs = [](RandomStream& random) {
    std::vector<Tensor> inputs;
    for (int i = 0; i < 3; ++i) inputs.push_back(random_input(random, {1, 1, kTokens, 4}));
    return inputs;
  };
  result.run = [error](std::span<const Tensor> in) {
    return std::vector<Tensor>{attention(in[0], in[1], in[2], error)};
  };
  return result;
}

TEST_CASE("attention: an error in what backward makes again is found") {
  CHECK(check_gradient(case_with(Planted::none)) == "");
  for (const Planted error :
       {Planted::log_sum, Planted::no_mask, Planted::scale, Planted::result, Planted::dropout}) {
    CAPTURE(static_cast<int>(error));
    const std::string wrong = check_gradient(case_with(error));
    CHECK(wrong.find("central difference") != std::string::npos);
  }
}

}  // namespace
}  // namespace diagrad::testing
