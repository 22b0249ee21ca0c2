#include "diagrad/nn/activation.h"

#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

template <typename M>
ModuleCase activation(const char* name) {
  return {.module = name,
          .variant = "rows",
          .make = [](RandomStream&) { return std::make_shared<M>(); },
          .input = values({4, 5})};
}

const ModuleCaseRegistration registered{
    activation<nn::ReLU>("ReLU"),         activation<nn::GELU>("GELU"),
    activation<nn::GELUTanh>("GELUTanh"), activation<nn::SiLU>("SiLU"),
    activation<nn::Sigmoid>("Sigmoid"),   activation<nn::Tanh>("Tanh"),
    activation<nn::Softplus>("Softplus"), activation<nn::Hardswish>("Hardswish"),
};

}  // namespace
}  // namespace diagrad::testing
