#pragma once

#include <span>
#include <string>
#include <string_view>

#include "diagrad/core/function_ref.h"
#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// Throws Error(usage) where two of these contiguous tensors have memory in common, as two handles
/// of one tensor have: what updates or counts each of them once would do so twice. `place_of` says
/// where a tensor is listed, "parameter fc.weight of group 0"; the message names both places.
void check_no_overlap(std::string_view what, std::span<const Tensor> tensors,
                      FunctionRef<std::string(size_t)> place_of);

}  // namespace diagrad::train
