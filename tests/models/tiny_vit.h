#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "diagrad/nn/module.h"

namespace diagrad::testing {

/// A small transformer of the tests: images [B,H,W,3] of even sizes to logits [B,classes]. Patches
/// of 2x2 and a class token, width 8, two pre-norm blocks of self-attention with one head and a
/// feed-forward branch. It offers ffn, attn and both. All blocks are one stage.
std::shared_ptr<nn::Module> make_tiny_vit(const std::string& attention, const std::string& sharing,
                                          int64_t classes, uint64_t seed);

}  // namespace diagrad::testing
