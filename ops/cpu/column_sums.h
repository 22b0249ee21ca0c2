#pragma once

#include <cstdint>

namespace diagrad::kernels {

/// sums[c] = sum over r of matrix[r, c], for a contiguous [rows, columns] matrix: the gradient of
/// a bias. Chunks of rows are summed in parallel and added in order.
template <typename T>
void column_sums(const T* matrix, int64_t rows, int64_t columns, T* sums);

}  // namespace diagrad::kernels
