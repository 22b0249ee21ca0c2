#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diagrad/train/run/options.h"

namespace diagrad::train {

/// `key=value` entries of --model-opt as pairs. Throws Error(usage) for other entries, a key that
/// comes twice, and more than 100.
std::vector<std::pair<std::string, std::string>> model_options(const Options& options);

/// Those of differences() that change what comes out. Other spellings of the same choice do not:
/// `cosine` and `cosine:min-lr=0`, `pad-crop` and `pad-crop:border=4`, an empty sharing and the
/// attention's default, an order of --no-decay, --freeze or --model-opt.
std::vector<OptionDifference> effective_differences(const Options& there, const Options& here);

}  // namespace diagrad::train
