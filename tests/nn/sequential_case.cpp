#include "diagrad/nn/sequential.h"

#include "diagrad/nn/activation.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/pool.h"
#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

std::shared_ptr<nn::Module> small_net(RandomStream& random) {
  nn::Sequential stem;
  stem.append(nn::Conv2d({.in_channels = 2, .out_channels = 3, .kernel = 3, .bias = false}, random))
      .append(nn::BatchNorm2d({.channels = 3}))
      .append(nn::SiLU());
  const auto net = std::make_shared<nn::Sequential>();
  net->append(std::move(stem))
      .append(nn::AvgPool2d({.kernel = 2}))
      .append(nn::GlobalAvgPool())
      .append(nn::Dropout({.p = 0.2}))
      .append(nn::Linear({3, 4}, random));
  return net;
}

const ModuleCaseRegistration registered{
    {.module = "Sequential",
     .variant = "a small net",
     .make = small_net,
     .input = values({3, 6, 6, 2}),
     .state = "0.0.weight [3,3,3,2] 0.1.weight [3] 0.1.bias [3] 4.weight [4,3] 4.bias [4] "
              "0.1.running_mean [3] 0.1.running_var [3]",
     .has_modes = true,
     .wrong_input = {3, 6, 6, 1},
     .error = "1 channels"},
    {.module = "Sequential",
     .variant = "empty",
     .make = [](RandomStream&) { return std::make_shared<nn::Sequential>(); },
     .input = values({3, 2})},
    {.module = "Identity",
     .variant = "rows",
     .make = [](RandomStream&) { return std::make_shared<nn::Identity>(); },
     .input = values({3, 2})},
};

}  // namespace
}  // namespace diagrad::testing
