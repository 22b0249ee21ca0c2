#include "diagrad/nn/embedding.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/embedding.h"

namespace diagrad::nn {

Embedding::Embedding(const EmbeddingSpec& spec, RandomStream& random) {
  DG_CHECK(spec.entries > 0 && spec.width > 0,
           "Embedding: {} entries of width {}; both must be positive", spec.entries, spec.width);
  weight_ = add_parameter("weight", normal({spec.entries, spec.width}, 0.0, 1.0, random));
}

Tensor Embedding::forward(const Tensor& indices) {
  return embedding(weight_, indices);
}

}  // namespace diagrad::nn
