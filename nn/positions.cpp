#include "diagrad/nn/positions.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"

namespace diagrad::nn {
namespace {

/// Keys' cubic convolution with a = -1/2, 0 beyond a distance of 2.
double cubic(double distance) {
  const double x = std::abs(distance);
  if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
  if (x < 2.0) return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
  return 0.0;
}

/// [to,from]: the weights of the old places for each new one.
Tensor resampling_matrix(int64_t from, int64_t to, DType dtype) {
  const Tensor matrix = Tensor::zeros({to, from}, DType::f64);
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    double* const row = matrix.data<double>() + i * from;
    const double center = scale * (static_cast<double>(i) + 0.5);
    double total = 0.0;
    for (int64_t j = 0; j < from; ++j) {
      row[j] = cubic((static_cast<double>(j) + 0.5 - center) / stretch);
      total += row[j];
    }
    for (int64_t j = 0; j < from; ++j) row[j] /= total;
  }
  return matrix.to(dtype);
}

}  // namespace

Tensor sinusoidal_positions(int64_t prefix, Size2 grid, int64_t width) {
  DG_CHECK(width > 0 && width % 4 == 0,
           "sinusoidal_positions: the width {} is no multiple of 4: sine and cosine of two axes",
           width);
  DG_CHECK(prefix >= 0 && grid.h > 0 && grid.w > 0,
           "sinusoidal_positions: {} tokens in front of {}x{} patches", prefix, grid.h, grid.w);
  const Tensor positions = Tensor::zeros({1, prefix + grid.h * grid.w, width});
  const int64_t count = width / 4;
  for (int64_t place = 0; place < grid.h * grid.w; ++place) {
    float* const row = positions.data<float>() + (prefix + place) * width;
    for (int64_t i = 0; i < count; ++i) {
      const double frequency =
          std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(count));
      const double x = frequency * static_cast<double>(place % grid.w);
      const double y = frequency * static_cast<double>(place / grid.w);
      row[i] = static_cast<float>(std::sin(x));
      row[count + i] = static_cast<float>(std::cos(x));
      row[2 * count + i] = static_cast<float>(std::sin(y));
      row[3 * count + i] = static_cast<float>(std::cos(y));
    }
  }
  return positions;
}

Tensor resample_positions(const Tensor& positions, int64_t prefix, Size2 from, Size2 to) {
  DG_CHECK(positions.rank() == 3 && positions.size(0) == 1 && prefix >= 0 && from.h > 0 &&
               from.w > 0 && to.h > 0 && to.w > 0 && positions.size(1) == prefix + from.h * from.w,
           "resample_positions: positions {} are not [1,{} + {} x {},D], to resample to {} x {}",
           positions.shape(), prefix, from.h, from.w, to.h, to.w);
  if (from == to) return positions;
  const int64_t width = positions.size(2);
  const DType dtype = positions.dtype();
  const Tensor grid = slice(positions, 1, prefix, positions.size(1));
  const Tensor rows =
      matmul(resampling_matrix(from.h, to.h, dtype), reshape(grid, {from.h, from.w * width}));
  const Tensor both =
      matmul(resampling_matrix(from.w, to.w, dtype), reshape(rows, {to.h, from.w, width}));
  const Tensor resampled = reshape(both, {1, to.h * to.w, width});
  if (prefix == 0) return resampled;
  return concat(std::vector<Tensor>{slice(positions, 1, 0, prefix), resampled}, 1);
}

}  // namespace diagrad::nn
