#include "diagrad/nn/linear.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "Linear",
     .variant = "rows",
     .make = making<nn::Linear>(nn::LinearSpec{.in_features = 3, .out_features = 4}),
     .input = values({5, 3}),
     .state = "weight [4,3] bias [4]",
     .wrong_input = {5, 4},
     .error = "input has 4 features but weight expects 3"},
    {.module = "Linear",
     .variant = "tokens, no bias",
     .make = making<nn::Linear>(nn::LinearSpec{.in_features = 3, .out_features = 2, .bias = false}),
     .input = values({2, 4, 3}),
     .state = "weight [2,3]",
     .wrong_input = {2, 3, 4},
     .error = "input has 4 features but weight expects 3"},
};

}  // namespace
}  // namespace diagrad::testing
