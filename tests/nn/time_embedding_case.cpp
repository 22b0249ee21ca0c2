#include "diagrad/nn/time_embedding.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "TimeEmbedding",
     .variant = "rows",
     .make = making<nn::TimeEmbedding>(nn::TimeEmbeddingSpec{.features = 4, .width = 6}),
     .input = values({3, 4}),
     .state = "linear_1.weight [6,4] linear_1.bias [6] linear_2.weight [6,6] linear_2.bias [6]",
     .wrong_input = {3, 6},
     .error = "input has 6 features but weight expects 4"},
};

}  // namespace
}  // namespace diagrad::testing
