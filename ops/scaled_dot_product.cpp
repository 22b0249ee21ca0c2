#include "diagrad/ops/scaled_dot_product.h"

#include <cmath>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/dropout_kernels.h"
#include "diagrad/ops/scaled_dot_product_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check_queries_and_keys(const char* op, const Tensor& q, const Tensor& k) {
  DG_CHECK(q.rank() == 4 && k.rank() == 4 && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
               q.size(3) == k.size(3) && q.size(3) > 0,
           "{}: expected queries [B,heads,Tq,d] and keys [B,heads,Tk,d] with d > 0, got {} and {}",
           op, q.shape(), k.shape());
  DG_CHECK(q.dtype() == k.dtype(),
           "{}: queries are {} but keys are {}; convert with to() so that they agree", op,
           q.dtype(), k.dtype());
}

void check_values(const char* op, const Tensor& k, const Tensor& v) {
  DG_CHECK(v.rank() == 4 && v.size(0) == k.size(0) && v.size(1) == k.size(1) &&
               v.size(2) == k.size(2) && v.size(3) > 0,
           "{}: expected values [B,heads,Tk,dv] with dv > 0 beside keys {}, got {}", op, k.shape(),
           v.shape());
  DG_CHECK(v.dtype() == k.dtype(),
           "{}: values are {} but keys are {}; convert with to() so that they agree", op, v.dtype(),
           k.dtype());
}

bool broadcasts_to(const Shape& shape, const Shape& target) {
  if (shape.rank() > target.rank()) return false;
  for (int axis = -1; axis >= -shape.rank(); --axis) {
    if (shape[axis] != 1 && shape[axis] != target[axis]) return false;
  }
  return true;
}

/// The mask as a view of the scores' shape; repeated axes have a stride of 0.
Tensor expanded_mask(const char* op, const Tensor& mask, const Tensor& q, const Tensor& k) {
  if (!mask.defined()) return mask;
  const Shape scores{q.size(0), q.size(1), q.size(2), k.size(2)};
  DG_CHECK(broadcasts_to(mask.shape(), scores),
           "{}: a mask {} does not broadcast to the scores [B,heads,Tq,Tk], here {}", op,
           mask.shape(), scores);
  DG_CHECK(mask.dtype() == DType::u8 || mask.dtype() == q.dtype(),
           "{}: the mask is {}; expected u8 (1: attend) or, to be added, {} as the queries", op,
           mask.dtype(), q.dtype());
  DG_CHECK(!mask.requires_grad(),
           "{}: the mask requires gradients, which attention does not give; detach() it", op);
  Shape strides{0, 0, 0, 0};
  for (int axis = -1; axis >= -mask.rank(); --axis) {
    if (mask.shape()[axis] == scores[axis]) strides[axis] = mask.strides()[axis];
  }
  return mask.strided(scores, strides);
}

/// Itself where the elements of the last axis follow each other, else a copy.
Tensor with_contiguous_rows(const Tensor& x) {
  return x.size(-1) == 1 || x.strides()[x.rank() - 1] == 1 ? x : x.contiguous();
}

/// [B,heads,T,d] in the memory order [B,T,heads,d], that of tokens with their heads side by side.
Tensor empty_by_tokens(const Tensor& like, int64_t tokens, int64_t width) {
  const int64_t batch = like.size(0);
  const int64_t heads = like.size(1);
  const Tensor block = Tensor::empty({batch, tokens, heads, width}, like.dtype(), like.device());
  return block.strided({batch, heads, tokens, width},
                       {tokens * heads * width, width, heads * width, 1});
}

AttentionScores scores_of(const char* op, const Tensor& q, const Tensor& k,
                          const ScaledDotProductOptions& options) {
  check_queries_and_keys(op, q, k);
  DG_CHECK(std::isfinite(options.scale), "{}: scale {} is not finite", op, options.scale);
  const double scale =
      options.scale == 0.0 ? 1.0 / std::sqrt(static_cast<double>(q.size(3))) : options.scale;
  return {with_contiguous_rows(q), with_contiguous_rows(k), expanded_mask(op, options.mask, q, k),
          options.causal, scale};
}

/// The projections of a packed tensor [B,T,3 heads d], as views.
struct Projections {
  Tensor q, k, v;  ///< [B,heads,T,d]
};

Projections unpacked(const Tensor& qkv, int64_t heads) {
  const int64_t width = qkv.size(2) / (3 * heads);
  const auto part = [&](int64_t index) {
    const Shape& strides = qkv.strides();
    return qkv.strided({qkv.size(0), heads, qkv.size(1), width}, {strides[0], width, strides[1], 1},
                       index * heads * width);
  };
  return {part(0), part(1), part(2)};
}

/// The view with axes 1 and 2 exchanged: [B,heads,T,d] as [B,T,heads,d] and back.
Tensor exchanged(const Tensor& x) {
  const Shape& strides = x.strides();
  return x.strided({x.size(0), x.size(2), x.size(1), x.size(3)},
                   {strides[0], strides[2], strides[1], strides[3]});
}

/// What a forward pass takes and gives, with room for the result.
AttentionForward forward_of(const char* op, const Projections& in,
                            const ScaledDotProductOptions& options, bool records) {
  AttentionForward pass{scores_of(op, in.q, in.k, options), Tensor(), {}, Tensor(), Tensor()};
  check_values(op, in.k, in.v);
  pass.v = with_contiguous_rows(in.v);
  pass.dropout =
      dropout_mask(op, {.p = options.dropout, .seed = options.seed, .stream = options.stream});
  pass.y = empty_by_tokens(in.q, in.q.size(2), in.v.size(3));
  if (records) {
    pass.log_sum =
        Tensor::empty({in.q.size(0), in.q.size(1), in.q.size(2)}, in.q.dtype(), in.q.device());
  }
  attention_forward_kernel.on(in.q.device())(pass);
  return pass;
}

/// What a backward pass needs beside the projections and y.
struct SavedPass {
  explicit SavedPass(const AttentionForward& pass)
      : causal(pass.scores.causal),
        scale(pass.scores.scale),
        dropout(pass.dropout),
        mask(pass.scores.mask),
        log_sum(pass.log_sum) {}

  AttentionBackward backward_of(const Projections& in, const Tensor& y,
                                const BackwardContext& context) const {
    AttentionBackward pass;
    pass.scores = {in.q, in.k, mask.get(context), causal, scale};
    pass.v = in.v;
    pass.dropout = dropout;
    pass.y = y;
    pass.log_sum = log_sum.get(context);
    return pass;
  }

  bool causal;
  double scale;
  DropoutMask dropout;
  SavedTensor mask, log_sum;
};

int64_t multiply_adds_of(const Projections& in) {
  return in.q.shape().numel(0, 3) * in.k.size(2) * (in.q.size(3) + in.v.size(3));
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const ScaledDotProductOptions& options) {
  constexpr const char* kOp = "scaled_dot_product_attention";
  const Projections in{q, k, v};
  const AttentionForward pass = forward_of(kOp, in, options, autograd::records({q, k, v}));
  return autograd::record(
      {kOp, multiply_adds_of(in)}, {q, k, v}, pass.y,
      [saved = SavedPass(pass), q = SavedTensor(pass.scores.q), k = SavedTensor(pass.scores.k),
       v = SavedTensor(pass.v), y = SavedTensor(pass.y)](const BackwardContext& context) {
        const Projections there{q.get(context), k.get(context), v.get(context)};
        AttentionBackward back = saved.backward_of(there, y.get(context), context);
        back.dy = with_contiguous_rows(context.gradient());
        const auto like = [](const Tensor& x) { return empty_by_tokens(x, x.size(2), x.size(3)); };
        if (context.needs(0)) back.dq = like(there.q);
        if (context.needs(1)) back.dk = like(there.k);
        if (context.needs(2)) back.dv = like(there.v);
        attention_backward_kernel.on(back.dy.device())(back);
        return Gradients{back.dq, back.dk, back.dv};
      });
}

Tensor packed_attention(const Tensor& qkv, int64_t heads, const ScaledDotProductOptions& options) {
  constexpr const char* kOp = "packed_attention";
  DG_CHECK(qkv.rank() == 3 && heads > 0 && qkv.size(2) > 0 && qkv.size(2) % (3 * heads) == 0,
           "{}: expected queries, keys and values [B,T,3*heads*d] of {} heads, got {}", kOp, heads,
           qkv.shape());
  const Tensor packed = with_contiguous_rows(qkv);
  const Projections in = unpacked(packed, heads);
  const AttentionForward pass = forward_of(kOp, in, options, autograd::records({qkv}));
  return autograd::record(
      {kOp, multiply_adds_of(in)}, {qkv}, exchanged(pass.y),
      [saved = SavedPass(pass), qkv = SavedTensor(packed), y = SavedTensor(pass.y),
       heads](const BackwardContext& context) {
        const Tensor& from = qkv.get(context);
        AttentionBackward back = saved.backward_of(unpacked(from, heads), y.get(context), context);
        back.dy = with_contiguous_rows(exchanged(context.gradient()));
        const Tensor gradient = Tensor::empty(from.shape(), from.dtype(), from.device());
        const Projections slices = unpacked(gradient, heads);
        back.dq = slices.q;
        back.dk = slices.k;
        back.dv = slices.v;
        attention_backward_kernel.on(back.dy.device())(back);
        return Gradients{gradient};
      });
}

Tensor attention_weights(const Tensor& q, const Tensor& k, std::span<const int64_t> rows,
                         const ScaledDotProductOptions& options) {
  constexpr const char* kOp = "attention_weights";
  const AttentionScores scores = scores_of(kOp, q, k, options);
  for (const int64_t row : rows) {
    DG_CHECK(row >= 0 && row < q.size(2), "{}: there is no query {} in queries {}; Tq is {}", kOp,
             row, q.shape(), q.size(2));
  }
  const auto count = static_cast<int64_t>(rows.size());
  const Tensor weights =
      Tensor::empty({q.size(0), q.size(1), count, k.size(2)}, q.dtype(), q.device());
  attention_weights_kernel.on(q.device())({scores, rows, weights});
  return weights;
}

}  // namespace diagrad
