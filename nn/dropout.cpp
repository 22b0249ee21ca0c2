#include "diagrad/nn/dropout.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/dropout.h"

namespace diagrad::nn {
namespace {

DropoutSpec checked(const char* layer, const DropoutSpec& spec) {
  DG_CHECK(spec.p >= 0.0 && spec.p <= 1.0, "{}: probability {} is outside [0, 1]", layer, spec.p);
  return spec;
}

DropoutOptions next_mask(double p) {
  const RandomScope::Draw draw = RandomScope::next();
  return {.p = p, .seed = draw.seed, .stream = draw.stream};
}

}  // namespace

Dropout::Dropout(const DropoutSpec& spec) : spec_(checked("Dropout", spec)) {}

Tensor Dropout::forward(const Tensor& x) {
  return drops() ? dropout(x, next_mask(spec_.p)) : x;
}

DropPath::DropPath(const DropoutSpec& spec) : spec_(checked("DropPath", spec)) {}

Tensor DropPath::forward(const Tensor& x) {
  return is_training() && spec_.p > 0.0 ? drop_path(x, next_mask(spec_.p)) : x;
}

}  // namespace diagrad::nn
