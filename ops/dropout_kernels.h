#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/dropout_math.h"

namespace diagrad {

/// The mask of `options` for operation `op`, which the message names. Throws for p outside [0, 1].
DropoutMask dropout_mask(const char* op, const DropoutOptions& options);

/// (mask, x, y): y = x * scale where the element is kept, else 0; both contiguous. Forward and
/// backward are the same.
inline KernelTable<void(const DropoutMask&, const Tensor&, const Tensor&)> dropout_kernel{
    "dropout"};
/// As above with one element of the mask per entry of the first axis.
inline KernelTable<void(const DropoutMask&, const Tensor&, const Tensor&)> drop_path_kernel{
    "drop_path"};

}  // namespace diagrad
