#include "diagrad/train/run/optimization.h"

#include <utility>

namespace diagrad::train {

std::unique_ptr<Optimizer> make_optimizer(const Options& options,
                                          const std::vector<NamedParameter>& parameters) {
  const bool all_decay = options.no_decay == std::vector<std::string>{"none"};
  auto groups = make_groups(parameters, options.weight_decay,
                            all_decay ? std::vector<std::string>() : options.no_decay);
  for (ParameterGroup& group : groups) {
    std::erase_if(group.parameters,
                  [](const NamedParameter& p) { return !p.tensor.requires_grad(); });
  }
  return make_optimizer(options.optimizer, options.momentum, std::move(groups));
}

LearningRate make_learning_rate(const Options& options, int64_t steps_per_epoch) {
  const OptimizerInfo& optimizer = find_optimizer(options.optimizer);
  return LearningRate({.schedule = options.schedule,
                       .warmup = options.warmup,
                       .peak = options.learning_rate(),
                       .momentum = options.momentum ? options.momentum : optimizer.momentum,
                       .epochs = options.epochs,
                       .steps_per_epoch = steps_per_epoch});
}

}  // namespace diagrad::train
