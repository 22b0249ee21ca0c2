#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// Mean and covariance of rows of d values, in f64, taken one row after the other by Welford's
/// update: no cancellation, and how the rows were cut into batches changes no bit.
class Moments {
 public:
  explicit Moments(int64_t width);

  /// features: [B,d], any floating dtype. Throws for another width, and Error(diverged) for a value
  /// that is not finite, with the number of its row.
  void add(const Tensor& features);

  int64_t count() const { return count_; }
  int64_t width() const { return static_cast<int64_t>(mean_.size()); }
  const std::vector<double>& mean() const { return mean_; }
  /// [d,d] row-major, with divisor count - 1. Throws for fewer than two rows.
  std::vector<double> covariance() const;

 private:
  void add_row(const double* row);

  int64_t count_ = 0;
  std::vector<double> mean_;
  std::vector<double> scatter_;     ///< sum of products of deviations, lower triangle of [d,d]
  std::vector<double> deviations_;  ///< of the row under way
};

}  // namespace diagrad::train
