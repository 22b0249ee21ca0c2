#pragma once

#include <cstdint>
#include <span>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct ScaledDotProductOptions {
  /// Broadcasts to [B,heads,Tq,Tk]. Of q's dtype it is added to the scores; u8 says which keys a
  /// query attends to (not 0) and which not (0). It gets no gradient.
  Tensor mask = {};
  bool causal = false;   ///< query i attends to keys 0 to i
  double scale = 0.0;    ///< of the scores; 0: 1 / sqrt(d)
  double dropout = 0.0;  ///< probability with which a weight becomes 0, in [0, 1]
  uint64_t seed = 0;     ///< of the run
  uint64_t stream = 0;   ///< tells apart calls with the same seed
};

/// Attention: y = dropout(softmax(scale q k^T + mask)) v, q [B,heads,Tq,d], k [B,heads,Tk,d],
/// v [B,heads,Tk,dv], y [B,heads,Tq,dv], which lies in memory as [B,Tq,heads,dv]. A query that
/// attends to no key gets zeros and gives zero gradients. Weight (b, head, i, j) is dropped where
/// the word of its row-major index in the Philox sequence of (seed, stream) is below dropout *
/// 2^32, the others are divided by 1 - dropout. Strided q, k and v are read in place where their
/// last axis is contiguous. The scores are made block by block with a running softmax and never
/// stored, in backward again. Saves q, k, v, the mask, y and the log-sum-exp of each row of scores.
/// Derivative: docs/notes/attention.md. Throws for shapes and dtypes that do not fit and a mask
/// that requires gradients. Source: Vaswani et al., "Attention is all you need", 2017; Dao et al.,
/// "FlashAttention", 2022.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const ScaledDotProductOptions& options = {});

/// The same of one projection qkv [B,T,3 heads d], which holds for each token the queries, the keys
/// and the values, each head by head: y [B,T,heads,d]. Gives the bits of the slices, without the
/// copies that their gradients need. Saves qkv beside the mask, y and the log-sum-exp. Throws for
/// widths that 3 heads do not divide.
Tensor packed_attention(const Tensor& qkv, int64_t heads,
                        const ScaledDotProductOptions& options = {});

/// The weights softmax(scale q k^T + mask) of some queries, without dropout: [B,heads,rows,Tk] for
/// the Tq indices in `rows`. No gradient. Throws for an index outside [0, Tq).
Tensor attention_weights(const Tensor& q, const Tensor& k, std::span<const int64_t> rows,
                         const ScaledDotProductOptions& options = {});

}  // namespace diagrad
