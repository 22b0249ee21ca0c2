#include "diagrad/nn/embedding.h"

#include "tests/nn/module_case.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

const ModuleCaseRegistration registered{
    {.module = "Embedding",
     .variant = "repeated indices",
     .make = making<nn::Embedding>(nn::EmbeddingSpec{.entries = 4, .width = 3}),
     .input =
         [](RandomStream& random) {
           return random_labels(random, {2, 7}, 4);
         },
     .state = "weight [4,3]",
     .wrong_input = {2},
     .error = "indices must be i64, got f32 [2]"},
};

}  // namespace
}  // namespace diagrad::testing
