#pragma once

#include <cmath>
#include <cstdint>

#include "diagrad/ops/batch_norm_kernels.h"

namespace diagrad {

/// From the moments of a batch (means, then sums of squared deviations, [2,C]) over `count` values
/// a channel: mean, rstd and the running statistics of `pass`.
template <typename T>
void store_batch_statistics(const BatchNormStatistics& pass, const double* moments, double count) {
  const int64_t columns = pass.mean.numel();
  const double* const squares = moments + columns;
  for (int64_t c = 0; c < columns; ++c) {
    pass.mean.data<double>()[c] = moments[c];
    pass.rstd.data<double>()[c] = 1.0 / std::sqrt(squares[c] / count + pass.epsilon);
  }
  if (!pass.running_mean.defined()) return;
  pass.running_mean.bump_version();
  pass.running_var.bump_version();
  T* const mean = pass.running_mean.data<T>();
  T* const var = pass.running_var.data<T>();
  for (int64_t c = 0; c < columns; ++c) {
    const double unbiased = squares[c] / (count - 1.0);
    mean[c] = static_cast<T>(mean[c] + pass.momentum * (moments[c] - mean[c]));
    var[c] = static_cast<T>(var[c] + pass.momentum * (unbiased - var[c]));
  }
}

}  // namespace diagrad
