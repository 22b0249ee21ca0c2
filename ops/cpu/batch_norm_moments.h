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
  const double momentum = pass.momentum;
  const auto moved = [momentum](T running, double value) {
    const double next = running + momentum * (value - running);
    // Infinity minus infinity; PyTorch's form keeps an infinity.
    return static_cast<T>(std::isnan(next) ? (1.0 - momentum) * running + momentum * value : next);
  };
  for (int64_t c = 0; c < columns; ++c) {
    mean[c] = moved(mean[c], moments[c]);
    var[c] = moved(var[c], squares[c] / (count - 1.0));
  }
}

}  // namespace diagrad
