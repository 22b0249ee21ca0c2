#include "diagrad/nn/checkpoint.h"

#include <optional>

#include "diagrad/nn/random_scope.h"

namespace diagrad::nn {

std::vector<Tensor> checkpoint(const autograd::CheckpointFunction& function,
                               std::span<const Tensor> inputs) {
  const auto place = RandomScope::place();
  return autograd::checkpoint(
      [function, place](std::span<const Tensor> saved) {
        std::optional<RandomScope> again;
        if (place && autograd::is_recomputing()) again.emplace(*place);
        return function(saved);
      },
      inputs);
}

}  // namespace diagrad::nn
