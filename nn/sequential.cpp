#include "diagrad/nn/sequential.h"

#include <string>

namespace diagrad::nn {

Sequential& Sequential::append(std::shared_ptr<Module> part) {
  add(std::to_string(children().size()), std::move(part));
  return *this;
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const auto& part : children()) y = part.second->forward(y);
  return y;
}

Tensor Identity::forward(const Tensor& x) {
  return x;
}

}  // namespace diagrad::nn
