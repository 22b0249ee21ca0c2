#include "diagrad/nn/attention/attention.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"

namespace diagrad::nn {
namespace {

/// Leaves the branch as it is.
class None : public Attention {
 protected:
  Tensor rescaled(const Tensor& x, State& /*state*/) override { return x; }
  Tensor rescaled_add_relu(const Tensor& x, const Tensor& residual, State& /*state*/) override {
    return relu(diagrad::add(x, residual));
  }
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "none",
     .help = "no attention: the plain backbone",
     .citation = "He et al., \"Deep residual learning for image recognition\", CVPR 2016",
     .make = [](const UnitSpec&, Spec&, RandomStream&) { return std::make_shared<None>(); },
     .parameters = [](const UnitSpec&, Spec&) { return int64_t{0}; }});

}  // namespace
}  // namespace diagrad::nn
