#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Rows of a table, weight [V,D], indices i64 of any shape [...]: y[...,d] =
/// weight[indices[...],d]. dweight adds dy to the row of each index, in order of the indices. Saves
/// the indices. Throws for ranks and dtypes that do not fit and for an index outside [0, V).
Tensor embedding(const Tensor& weight, const Tensor& indices);

/// Picks along one axis, x and index i64 of the same rank:
///
///   y[..., i, ...] = x[..., index[..., i, ...], ...]    (i and the index on `axis`)
///
/// y has the shape of index, whose other axes are at most as long as those of x. dx adds dy at the
/// indices read. Saves the index. Throws for shapes and dtypes that do not fit and for an index
/// outside [0, size of the axis).
Tensor gather(const Tensor& x, int axis, const Tensor& index);

}  // namespace diagrad
