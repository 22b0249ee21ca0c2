#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/cpu/lane_sum.h"
#include "diagrad/ops/group_norm_kernels.h"

namespace diagrad {
namespace {

using kernels::Scratch;

/// The coefficients of one row: x - mean = (x - pivot) + error, pivot being the mean in T.
template <typename T>
struct Row {
  Row(double mean, double rstd_of_row)
      : pivot(static_cast<T>(mean)), rstd(rstd_of_row), error(static_cast<double>(pivot) - mean) {}
  T pivot;
  double rstd;
  double error;
};

/// Mean and 1/std of one row, which stays in cache between the two reads. The second one corrects
/// the mean of the first.
template <typename T>
void row_statistics(int64_t width, const T* __restrict x, double epsilon, double& mean,
                    double& rstd) {
  const T first = x[0];
  const T sum = kernels::lane_sum<T>(width, [=](int64_t i) { return x[i] - first; });
  const auto size = static_cast<double>(width);
  const T pivot = static_cast<T>(first + static_cast<double>(sum) / size);
  const T rest = kernels::lane_sum<T>(width, [=](int64_t i) { return x[i] - pivot; });
  const T squares =
      kernels::lane_sum<T>(width, [=](int64_t i) { return (x[i] - pivot) * (x[i] - pivot); });
  const double correction = static_cast<double>(rest) / size;
  const double variance = static_cast<double>(squares) / size - correction * correction;
  mean = static_cast<double>(pivot) + correction;
  rstd = 1.0 / std::sqrt(std::max(variance, 0.0) + epsilon);
}

template <typename T>
void forward_row(int64_t width, const T* __restrict x, const Row<T>& row, const T* __restrict gamma,
                 const T* __restrict beta, T* __restrict y) {
  const T pivot = row.pivot;
  const T scale = static_cast<T>(row.rstd);
  const T shift = static_cast<T>(row.error * row.rstd);
  for (int64_t i = 0; i < width; ++i) {
    y[i] = ((x[i] - pivot) * scale + shift) * gamma[i] + beta[i];
  }
}

/// gamma or beta, or a constant where it is undefined.
template <typename T>
class VectorOr {
 public:
  VectorOr(const Tensor& vector, int64_t width, T otherwise)
      : memory_(vector.defined() ? 0 : width) {
    if (!vector.defined()) std::fill(memory_.data(), memory_.data() + width, otherwise);
    data_ = vector.defined() ? vector.data<T>() : memory_.data();
  }
  const T* data() const { return data_; }

 private:
  Scratch<T> memory_;
  const T* data_;
};

ChunkPlan plan_of(int64_t rows, int64_t width) {
  return {rows, kernels::kRowGrainValues / std::max<int64_t>(width, 1)};
}

template <typename T>
void forward(const GroupNormForward& pass) {
  const int64_t width = pass.x.size(-1);
  const int64_t rows = pass.mean.numel();
  if (width == 0) return;
  const VectorOr<T> gamma(pass.gamma, width, T(1));
  const VectorOr<T> beta(pass.beta, width, T(0));
  parallel_for_chunks(plan_of(rows, width), rows,
                      [&](int64_t /*chunk*/, int64_t begin, int64_t end) {
                        for (int64_t r = begin; r < end; ++r) {
                          const T* const x = pass.x.data<T>() + r * width;
                          double& mean = pass.mean.data<double>()[r];
                          double& rstd = pass.rstd.data<double>()[r];
                          row_statistics(width, x, pass.epsilon, mean, rstd);
                          forward_row(width, x, Row<T>(mean, rstd), gamma.data(), beta.data(),
                                      pass.y.data<T>() + r * width);
                        }
                      });
}

/// Adds the row's terms of dgamma and dbeta.
template <typename T>
void add_row(int64_t width, const T* __restrict x, const T* __restrict dy, const Row<T>& row,
             T* __restrict dgamma, T* __restrict dbeta) {
  const T pivot = row.pivot;
  const T scale = static_cast<T>(row.rstd);
  const T shift = static_cast<T>(row.error * row.rstd);
  for (int64_t i = 0; i < width; ++i) {
    dgamma[i] += dy[i] * ((x[i] - pivot) * scale + shift);
    dbeta[i] += dy[i];
  }
}

template <typename T>
void input_gradient_row(int64_t width, const T* __restrict x, const T* __restrict dy,
                        const T* __restrict gamma, const Row<T>& row, T* __restrict dx) {
  const T pivot = row.pivot;
  const T sum = kernels::lane_sum<T>(width, [=](int64_t i) { return dy[i] * gamma[i]; });
  const T sum_x =
      kernels::lane_sum<T>(width, [=](int64_t i) { return dy[i] * gamma[i] * (x[i] - pivot); });
  const double inverse = row.rstd;
  const auto size = static_cast<double>(width);
  const double moment =
      inverse * (static_cast<double>(sum_x) + row.error * static_cast<double>(sum));
  const double slope_of_row = -inverse * inverse * moment / size;
  const T scale = static_cast<T>(inverse);
  const T slope = static_cast<T>(slope_of_row);
  const T offset =
      static_cast<T>(-inverse * static_cast<double>(sum) / size + slope_of_row * row.error);
  for (int64_t i = 0; i < width; ++i) {
    dx[i] = scale * (dy[i] * gamma[i]) + (slope * (x[i] - pivot) + offset);
  }
}

/// Sums over rows in T that join sums in double after some rows.
template <typename T>
class ParameterSums {
 public:
  ParameterSums(int64_t count, double* totals) : count_(count), totals_(totals), block_(count) {
    std::fill(totals, totals + count, 0.0);
    std::fill(block_.data(), block_.data() + count, T(0));
  }
  T* block() const { return block_.data(); }
  void row_done() {
    if (++rows_ == kernels::kBlockLines) flush();
  }
  void flush() {
    rows_ = 0;
    for (int64_t i = 0; i < count_; ++i) {
      totals_[i] += static_cast<double>(block_.data()[i]);
      block_.data()[i] = T(0);
    }
  }

 private:
  int64_t count_;
  double* totals_;
  Scratch<T> block_;
  int64_t rows_ = 0;
};

template <typename T>
void backward(const GroupNormBackward& pass) {
  const int64_t width = pass.x.size(-1);
  const int64_t rows = pass.mean.numel();
  const bool parameters = pass.dgamma.defined() || pass.dbeta.defined();
  const VectorOr<T> gamma(pass.gamma, width, T(1));
  const ChunkPlan plan = plan_of(rows, width);
  const int64_t stride = 2 * width;
  const Scratch<double> parts(plan.count * stride);
  parallel_for_chunks(plan, rows, [&](int64_t chunk, int64_t begin, int64_t end) {
    ParameterSums<T> sums(parameters ? stride : 0, parts.data() + chunk * stride);
    for (int64_t r = begin; r < end; ++r) {
      const T* const x = pass.x.data<T>() + r * width;
      const T* const dy = pass.dy.data<T>() + r * width;
      const Row<T> row(pass.mean.data<double>()[r], pass.rstd.data<double>()[r]);
      if (pass.dx.defined()) {
        input_gradient_row(width, x, dy, gamma.data(), row, pass.dx.data<T>() + r * width);
      }
      if (parameters) {
        add_row(width, x, dy, row, sums.block(), sums.block() + width);
        sums.row_done();
      }
    }
    sums.flush();
  });
  const auto add_up = [&](const Tensor& result, int64_t first) {
    if (!result.defined()) return;
    for (int64_t i = 0; i < width; ++i) {
      double sum = 0.0;
      for (int64_t chunk = 0; chunk < plan.count; ++chunk)
        sum += parts.data()[chunk * stride + first + i];
      result.data<T>()[i] = static_cast<T>(sum);
    }
  };
  add_up(pass.dgamma, 0);
  add_up(pass.dbeta, width);
}

void forward_cpu(const GroupNormForward& pass) {
  dispatch_floating(pass.x.dtype(), "layer_norm",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

void backward_cpu(const GroupNormBackward& pass) {
  dispatch_floating(pass.x.dtype(), "layer_norm backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    layer_norm_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    layer_norm_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
