#include "diagrad/nn/pool.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "MaxPool2d",
     .variant = "3x3, stride 2, padded",
     .make = making<nn::MaxPool2d>(nn::Pool2dSpec{.kernel = 3, .stride = 2, .padding = 1}),
     .input = values({2, 5, 4, 2}),
     .wrong_input = {2, 5, 4},
     .error = "max_pool2d: expected images [B,H,W,C], got [2,5,4]"},
    {.module = "AvgPool2d",
     .variant = "2x2",
     .make = making<nn::AvgPool2d>(nn::Pool2dSpec{.kernel = 2}),
     .input = values({2, 5, 4, 2}),
     .wrong_input = {2, 1, 4, 2},
     .error = "height kernel 2 does not fit into an image of 1"},
    {.module = "GlobalAvgPool",
     .variant = "images",
     .make = [](RandomStream&) { return std::make_shared<nn::GlobalAvgPool>(); },
     .input = values({2, 3, 4, 2}),
     .wrong_input = {2},
     .error = "[2]"},
};

}  // namespace
}  // namespace diagrad::testing
