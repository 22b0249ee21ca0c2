#pragma once

#include <string>

#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// Whether a parameter fits an entry of `--no-decay` or `--freeze`: a pattern for its whole name
/// with * (any characters) and ? (one), or `1d` for everything of rank 0 and 1 (biases, norms).
bool fits_pattern(const std::string& entry, const NamedTensor& parameter);

}  // namespace diagrad::nn
