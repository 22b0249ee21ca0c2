#include "diagrad/nn/patch_dropout.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/embedding.h"
#include "diagrad/ops/reshape.h"

namespace diagrad::nn {
namespace {

/// `count` of 0..size-1 in order, the first `count` steps of a Fisher-Yates shuffle.
std::vector<int64_t> choose(int64_t size, int64_t count, RandomStream& random) {
  std::vector<int64_t> all(static_cast<size_t>(size));
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t other = i + random.below(size - i);
    std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(other)]);
  }
  all.resize(static_cast<size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

PatchDropout::PatchDropout(const PatchDropoutSpec& spec) : spec_(spec) {
  DG_CHECK(spec.p >= 0.0 && spec.p < 1.0, "PatchDropout: share {} is outside [0, 1)", spec.p);
  DG_CHECK(spec.prefix_tokens >= 0, "PatchDropout: {} tokens in front of the patches",
           spec.prefix_tokens);
}

Tensor PatchDropout::forward(const Tensor& x) {
  if (!is_training() || spec_.p == 0.0) return x;
  const int64_t prefix = spec_.prefix_tokens;
  DG_CHECK(x.rank() == 3 && x.size(1) > prefix,
           "PatchDropout: input {} is not [B,T,D] with patches behind {} tokens", x.shape(),
           prefix);
  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const auto wanted = static_cast<int64_t>((1.0 - spec_.p) * static_cast<double>(tokens - prefix));
  const int64_t kept = std::max<int64_t>(1, wanted);
  const RandomScope::Draw draw = RandomScope::next();
  const Tensor index = Tensor::empty({batch, prefix + kept}, DType::i64);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t* row = index.data<int64_t>() + b * (prefix + kept);
    std::iota(row, row + prefix, b * tokens);
    RandomStream random(draw.seed, stream_id("patches", draw.stream, static_cast<uint64_t>(b)));
    const std::vector<int64_t> patches = choose(tokens - prefix, kept, random);
    for (int64_t i = 0; i < kept; ++i) {
      row[prefix + i] = b * tokens + prefix + patches[static_cast<size_t>(i)];
    }
  }
  return embedding(reshape(x, {batch * tokens, x.size(2)}), index);
}

}  // namespace diagrad::nn
