#include "diagrad/nn/attention/attention.h"

namespace diagrad::nn {
namespace {

/// Leaves the branch as it is.
class None : public Attention {
 protected:
  Tensor rescale(const Tensor& x, State& /*state*/) override { return x; }
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "none",
     .help = "no attention: the plain backbone",
     .citation = "He et al., \"Deep residual learning for image recognition\", CVPR 2016",
     .form = Form::map,
     .identity = true,
     .placements = {Placement::pre_add},
     .make = [](const UnitSpec&, RandomStream&) { return std::make_shared<None>(); },
     .parameters = [](const UnitSpec&) { return int64_t{0}; }});

}  // namespace
}  // namespace diagrad::nn
