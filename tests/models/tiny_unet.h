#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "diagrad/nn/module.h"

namespace diagrad::testing {

/// A small U-shaped net of the tests: images [B,H,W,3] of even sizes to logits [B,classes]. One
/// block of width 4 on the way down, two of width 8 in the middle, one of width 4 on the way up,
/// joined to the first by a skip connection. It offers pre_add, and shares stateful attention by
/// the network.
std::shared_ptr<nn::Module> make_tiny_unet(const std::string& attention, const std::string& sharing,
                                           int64_t classes, uint64_t seed);

}  // namespace diagrad::testing
