#include "diagrad/nn/conv2d.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "Conv2d",
     .variant = "3x3",
     .make = making<nn::Conv2d>(
         nn::Conv2dSpec{.in_channels = 3, .out_channels = 4, .kernel = 3, .padding = 1}),
     .input = values({2, 5, 4, 3}),
     .state = "weight [4,3,3,3] bias [4]",
     .wrong_input = {2, 5, 4, 2},
     .error = "2 channels"},
    {.module = "Conv2d",
     .variant = "groups, stride, dilation, no bias",
     .make = making<nn::Conv2d>(nn::Conv2dSpec{.in_channels = 4,
                                               .out_channels = 6,
                                               .kernel = {3, 2},
                                               .stride = {2, 1},
                                               .padding = {1, 2},
                                               .dilation = {1, 2},
                                               .groups = 2,
                                               .bias = false}),
     .input = values({2, 5, 6, 4}),
     .state = "weight [6,3,2,2]",
     .wrong_input = {2, 5, 6, 6},
     .error = "6 channels"},
    {.module = "Conv2d",
     .variant = "depthwise, first weights by outputs",
     .make = making<nn::Conv2d>(nn::Conv2dSpec{.in_channels = 3,
                                               .out_channels = 3,
                                               .kernel = 3,
                                               .padding = 1,
                                               .groups = 3,
                                               .init = nn::ConvInit::fan_out_normal}),
     .input = values({1, 4, 4, 3}),
     .state = "weight [3,3,3,1] bias [3]",
     .wrong_input = {4, 4, 3},
     .error = "[4,4,3]"},
};

}  // namespace
}  // namespace diagrad::testing
