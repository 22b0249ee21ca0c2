#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/cpu/batch_norm_moments.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/cpu/column_moments.h"
#include "diagrad/ops/cpu/normal_lines.h"
#include "diagrad/ops/cpu/pointwise_prologue.h"

namespace diagrad {
namespace {

using kernels::ChannelBroadcast;
using kernels::ChannelTiling;
using kernels::ColumnMoments;
using kernels::RowChunks;
using kernels::Scratch;

/// [rows, columns] of a tensor whose last axis are the channels.
struct Matrix {
  explicit Matrix(const Tensor& x)
      : columns(x.size(-1)), rows(columns == 0 ? 0 : x.numel() / columns) {}
  int64_t columns;
  int64_t rows;
};

/// Fills mean and squared deviations, [2, columns].
template <typename T>
void column_moments(const T* x, const Matrix& matrix, const PrologueRows<T>& prologue,
                    double* result) {
  const ChannelTiling tiling(matrix.columns);
  const RowChunks chunks(tiling, matrix.rows);
  const int64_t size = 2 * tiling.columns;
  const Scratch<double> parts(chunks.count() * size);
  const Scratch<double> counts(chunks.count());
  chunks.for_each([&](int64_t index, int64_t first, int64_t rows) {
    ColumnMoments part(parts.data() + index * size, tiling.columns);
    kernels::add_rows(tiling, x + first * tiling.columns, rows, part,
                      [&](int64_t row, int64_t count) { prologue.make(first + row, count); });
    counts.data()[index] = part.count;
  });
  ColumnMoments total(result, tiling.columns);
  for (int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
    const double* const mean = parts.data() + chunk * size;
    total.add(counts.data()[chunk], [=, squares = mean + tiling.columns](int64_t c) {
      return Moments{mean[c], squares[c]};
    });
  }
  kernels::restore_infinite_means(x, matrix.rows, total);
}

void statistics_cpu(const BatchNormStatistics& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Matrix matrix(pass.x);
    if (matrix.columns == 0) return;
    const Scratch<double> moments(2 * matrix.columns);
    column_moments<T>(pass.x.data<T>(), matrix, PrologueRows<T>(pass.prologue, pass.x),
                      moments.data());
    store_batch_statistics<T>(pass, moments.data(), static_cast<double>(matrix.rows));
  });
}

void running_cpu(const Tensor& running_mean, const Tensor& running_var, double epsilon,
                 const Tensor& mean, const Tensor& rstd) {
  mean.copy_(running_mean);
  rstd.copy_(running_var);
  double* const value = rstd.data<double>();
  for (int64_t c = 0; c < rstd.numel(); ++c) value[c] = 1.0 / std::sqrt(value[c] + epsilon);
}

template <typename T>
void forward(const BatchNormForward& pass) {
  const Matrix matrix(pass.x);
  const ChannelTiling tiling(matrix.columns);
  const NormalRows<T> made(tiling, pass);
  RowChunks(tiling, matrix.rows).for_each([&](int64_t /*index*/, int64_t first, int64_t rows) {
    made.make(first, rows, pass.y.data<T>() + first * tiling.columns);
  });
}

void forward_cpu(const BatchNormForward& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    forward<T>(pass);
  });
}

/// Per channel the sums of g and of g * (x - pivot).
template <bool relu, typename T>
void gradient_sums(const BatchNormBackward& pass, const ChannelTiling& tiling, int64_t rows,
                   const AffineLines<T>& affine, double* sums) {
  const T* const x = pass.x.data<T>();
  const T* const dy = pass.dy.data<T>();
  kernels::column_sums_of<2, T>(tiling, rows, sums, [&](int64_t offset, int64_t width, T* partial) {
    kernels::add_gradient_line<relu>(width, x + offset, dy + offset, affine.pivot.data(),
                                     affine.scale.data(), affine.shift.data(), partial,
                                     partial + tiling.width);
  });
}

/// The coefficients of dx over a line.
template <typename T>
struct GradientLines {
  GradientLines(const ChannelTiling& tiling, const BatchNormGradient<T>* channels)
      : a(tiling, [=](int64_t channel) { return channels[channel].a; }),
        b(tiling, [=](int64_t channel) { return channels[channel].b; }),
        c(tiling, [=](int64_t channel) { return channels[channel].c; }) {}

  ChannelBroadcast<T> a, b, c;
};

template <bool relu, bool training, typename T>
void input_gradient(const BatchNormBackward& pass, const ChannelTiling& tiling, int64_t all_rows,
                    const AffineLines<T>& affine, const BatchNormGradient<T>* channels) {
  const GradientLines<T> lines(tiling, channels);
  const auto write = [&](int64_t first, int64_t rows, T* dx) {
    const int64_t base = first * tiling.columns;
    const T* const x = pass.x.data<T>() + base;
    const T* const dy = pass.dy.data<T>() + base;
    kernels::for_each_line(tiling, rows, [&](int64_t offset, int64_t width) {
      if (dx == dy) {
        kernels::input_gradient_line<relu, training>(
            width, x + offset, affine.pivot.data(), affine.scale.data(), affine.shift.data(),
            lines.a.data(), lines.b.data(), lines.c.data(), dx + offset);
      } else {
        kernels::input_gradient_line<relu, training>(
            width, x + offset, dy + offset, affine.pivot.data(), affine.scale.data(),
            affine.shift.data(), lines.a.data(), lines.b.data(), lines.c.data(), dx + offset);
      }
    });
  };
  if (pass.prologue.prologue.defined()) return prologue_gradients<T>(pass.prologue, write);
  RowChunks(tiling, all_rows).for_each([&](int64_t /*index*/, int64_t first, int64_t rows) {
    write(first, rows, pass.dx.data<T>() + first * tiling.columns);
  });
}

template <bool relu, typename T>
void backward(const BatchNormBackward& pass) {
  const Matrix matrix(pass.x);
  const ChannelTiling tiling(matrix.columns);
  const AffineLines<T> affine(tiling, pass);
  const Scratch<double> sums(2 * matrix.columns);
  std::fill(sums.data(), sums.data() + 2 * matrix.columns, 0.0);
  if (pass.training || pass.dgamma.defined() || pass.dbeta.defined()) {
    gradient_sums<relu, T>(pass, tiling, matrix.rows, affine, sums.data());
  }
  const Scratch<BatchNormGradient<T>> channels(matrix.columns);
  for (int64_t c = 0; c < matrix.columns; ++c) {
    channels.data()[c] = BatchNormGradient<T>(
        pass.mean.data<double>()[c], pass.rstd.data<double>()[c],
        pass.gamma.defined() ? static_cast<double>(pass.gamma.data<T>()[c]) : 1.0,
        static_cast<double>(matrix.rows), pass.training, sums.data()[c],
        sums.data()[matrix.columns + c]);
    if (pass.dgamma.defined()) {
      pass.dgamma.data<T>()[c] = static_cast<T>(channels.data()[c].dgamma);
    }
    if (pass.dbeta.defined()) pass.dbeta.data<T>()[c] = static_cast<T>(channels.data()[c].dbeta);
  }
  if (pass.dx.defined() || pass.prologue.prologue.defined()) {
    const auto run = pass.training ? input_gradient<relu, true, T> : input_gradient<relu, false, T>;
    run(pass, tiling, matrix.rows, affine, channels.data());
  }
}

void backward_cpu(const BatchNormBackward& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    pass.relu ? backward<true, T>(pass) : backward<false, T>(pass);
  });
}

[[maybe_unused]] const bool registered =
    batch_norm_statistics_kernel.set(DeviceType::cpu, statistics_cpu) &&
    batch_norm_running_kernel.set(DeviceType::cpu, running_cpu) &&
    batch_norm_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    batch_norm_backward_kernel.set(DeviceType::cpu, backward_cpu) &&
    pointwise_prologue_kernel.set(DeviceType::cpu, kernels::pointwise_fits);

}  // namespace
}  // namespace diagrad
