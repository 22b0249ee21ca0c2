#include "diagrad/nn/dropout.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "Dropout",
     .variant = "a third",
     .make = making<nn::Dropout>(nn::DropoutSpec{.p = 0.3}),
     .input = values({4, 5}),
     .has_modes = true},
    {.module = "Dropout",
     .variant = "never",
     .make = making<nn::Dropout>(nn::DropoutSpec{.p = 0.0}),
     .input = values({4, 5})},
    {.module = "DropPath",
     .variant = "half",
     .make = making<nn::DropPath>(nn::DropoutSpec{.p = 0.5}),
     .input = values({12, 2, 3}),
     .has_modes = true,
     .wrong_input = {},
     .error = "drop_path: expected input [B,...], got []"},
    {.module = "DropPath",
     .variant = "never",
     .make = making<nn::DropPath>(nn::DropoutSpec{.p = 0.0}),
     .input = values({3, 2})},
};

}  // namespace
}  // namespace diagrad::testing
