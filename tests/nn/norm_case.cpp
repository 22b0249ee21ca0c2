#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/group_norm.h"
#include "diagrad/nn/layer_norm.h"
#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const char* const kBatchNormState = "weight [3] bias [3] running_mean [3] running_var [3]";

nn::BatchNorm2d& batch_norm_of(nn::Module& module) {
  return dynamic_cast<nn::BatchNorm2d&>(module);
}

const ModuleCaseRegistration batch_norm{
    {.module = "BatchNorm2d",
     .variant = "images",
     .make = making<nn::BatchNorm2d>(nn::BatchNormSpec{.channels = 3}),
     .input = values({2, 3, 4, 3}),
     .state = kBatchNormState,
     .has_modes = true,
     .wrong_input = {2, 3, 3, 4},
     .error = "[3], expected [4] for input [2,3,3,4]"},
    {.module = "BatchNorm2d",
     .variant = "with relu",
     .make = making<nn::BatchNorm2d>(nn::BatchNormSpec{.channels = 3, .epsilon = 1e-3}),
     .input = values({3, 2, 3, 3}),
     .state = kBatchNormState,
     .has_modes = true,
     .wrong_input = {3, 2, 3, 4},
     .error = "[3], expected [4] for input [3,2,3,4]",
     .run = [](nn::Module& module,
               const Tensor& x) { return batch_norm_of(module).forward_relu(x); }},
    {.module = "BatchNorm2d",
     .variant = "scaled per image",
     .make = making<nn::BatchNorm2d>(nn::BatchNormSpec{.channels = 3}),
     .input = values({2, 3, 3, 3}),
     .state = kBatchNormState,
     .has_modes = true,
     .wrong_input = {2, 3, 3, 4},
     .error = "[3], expected [4] for input [2,3,3,4]",
     .run =
         [](nn::Module& module, const Tensor& x) {
           const Tensor factors = Tensor::full({x.size(0), x.size(-1)}, 0.7, x.dtype());
           return batch_norm_of(module).forward_scaled(x, factors);
         }},
};

const ModuleCaseRegistration layer_norm{
    {.module = "LayerNorm",
     .variant = "tokens",
     .make = making<nn::LayerNorm>(nn::LayerNormSpec{.features = 5}),
     .input = values({2, 3, 5}),
     .state = "weight [5] bias [5]",
     .wrong_input = {2, 5, 3},
     .error = "LayerNorm: input [2,5,3] does not end in the 5 features of the layer"},
    {.module = "LayerNorm",
     .variant = "not affine",
     .make = making<nn::LayerNorm>(nn::LayerNormSpec{.features = 4, .affine = false}),
     .input = values({3, 4}),
     .wrong_input = {4, 3},
     .error = "LayerNorm: input [4,3] does not end in the 4 features of the layer"},
};

const ModuleCaseRegistration group_norm{
    {.module = "GroupNorm",
     .variant = "images",
     .make = making<nn::GroupNorm>(nn::GroupNormSpec{.groups = 2, .channels = 6}),
     .input = values({2, 3, 2, 6}),
     .state = "weight [6] bias [6]",
     .wrong_input = {2, 3, 2, 4},
     .error = "GroupNorm: input [2,3,2,4] is not [B,...,C] with the 6 channels of the layer"},
    {.module = "GroupNorm",
     .variant = "one group per channel, not affine",
     .make = making<nn::GroupNorm>(
         nn::GroupNormSpec{.groups = 3, .channels = 3, .epsilon = 1e-3, .affine = false}),
     .input = values({2, 4, 3}),
     .wrong_input = {3},
     .error = "GroupNorm: input [3] is not [B,...,C] with the 3 channels of the layer"},
};

}  // namespace
}  // namespace diagrad::testing
