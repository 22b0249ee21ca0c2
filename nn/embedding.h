#pragma once

#include "diagrad/core/random.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct EmbeddingSpec {
  int64_t entries = 0;  ///< V, what indices are below
  int64_t width = 0;    ///< D
};

/// Rows of a learned table: indices i64 [...] to weight[index] [...,D]; weight [V,D] is N(0, 1) at
/// first, as in PyTorch. Throws for an index outside [0, V).
class Embedding : public Module {
 public:
  Embedding(const EmbeddingSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& indices) override;

 private:
  Tensor weight_;
};

}  // namespace diagrad::nn
