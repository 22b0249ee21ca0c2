#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {

/// The optimizer that the options ask for, over two groups (make_groups), frozen parameters left
/// out; a `no_decay` of `none` alone leaves the second one empty.
std::unique_ptr<Optimizer> make_optimizer(const Options& options,
                                          const std::vector<NamedParameter>& parameters);

/// The learning rate that the options ask for.
LearningRate make_learning_rate(const Options& options, int64_t steps_per_epoch);

}  // namespace diagrad::train
