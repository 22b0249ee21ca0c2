#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// Freezes the parameters that fit one of `patterns` (parameter_pattern.h): they require no
/// gradient from then on. Returns how many values of the model are frozen in all. Throws
/// Error(usage), before any change, for a pattern that fits nothing, with the nearest one that
/// does, and where nothing would be left to train.
int64_t freeze(Module& model, const std::vector<std::string>& patterns);

/// Values of parameters that require no gradient; shared ones once.
int64_t frozen_count(const Module& model);

/// train(), but layers with running statistics whose parameters are all frozen stay in evaluation
/// mode: they normalise by their running statistics, which do not change.
void train_unfrozen(Module& model);

}  // namespace diagrad::nn
