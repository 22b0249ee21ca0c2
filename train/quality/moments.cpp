#include "diagrad/train/quality/moments.h"

#include <cmath>

#include "diagrad/core/error.h"

namespace diagrad::train {

Moments::Moments(int64_t width)
    : mean_(static_cast<size_t>(width)),
      scatter_(static_cast<size_t>(width * width)),
      deviations_(static_cast<size_t>(width)) {}

void Moments::add(const Tensor& features) {
  DG_CHECK(features.rank() == 2 && features.size(1) == width(),
           "moments: features {}, expected [B,{}]", features.shape(), width());
  const Tensor rows = features.to(DType::f64).contiguous();
  for (int64_t b = 0; b < rows.size(0); ++b) add_row(rows.data<double>() + b * width());
}

void Moments::add_row(const double* row) {
  const size_t width = mean_.size();
  const auto count = static_cast<double>(++count_);
  for (size_t i = 0; i < width; ++i) {
    if (!std::isfinite(row[i])) {
      fail(ErrorKind::diverged, "features: value {} of image {} is {}", i, count_ - 1, row[i]);
    }
    deviations_[i] = row[i] - mean_[i];
    mean_[i] += deviations_[i] / count;
  }
  const double share = (count - 1.0) / count;
  for (size_t i = 0; i < width; ++i) {
    const double scaled = share * deviations_[i];
    double* sums = scatter_.data() + i * width;
    for (size_t j = 0; j <= i; ++j) sums[j] += scaled * deviations_[j];
  }
}

std::vector<double> Moments::covariance() const {
  DG_CHECK(count_ >= 2, "covariance: of {} rows, needs at least 2", count_);
  const size_t width = mean_.size();
  const auto divisor = static_cast<double>(count_ - 1);
  std::vector<double> covariance(width * width);
  for (size_t i = 0; i < width; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      const double value = scatter_[i * width + j] / divisor;
      covariance[i * width + j] = value;
      covariance[j * width + i] = value;
    }
  }
  return covariance;
}

}  // namespace diagrad::train
