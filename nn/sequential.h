#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// Modules one after the other, each fed with what the one before gives, named "0", "1", ... as in
/// torchvision; without any it is the identity:
///
///     Sequential net;
///     net.append(Linear({784, 64}, random)).append(ReLU()).append(Linear({64, 10}, random));
///
/// Parts are appended one by one, not given to a constructor: C++ evaluates the arguments of a call
/// in any order, and the first weights would depend on the compiler.
class Sequential : public Module {
 public:
  Sequential& append(std::shared_ptr<Module> part);
  template <typename M>
  requires std::is_base_of_v<Module, M> Sequential& append(M part) {
    return append(std::shared_ptr<Module>(std::make_shared<M>(std::move(part))));
  }

  Tensor forward(const Tensor& x) override;
};

/// Gives back its input; stands where another module may be.
class Identity : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

}  // namespace diagrad::nn
