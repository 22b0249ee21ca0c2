#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/kernels/row_fold.h"

namespace diagrad {
namespace {

using kernels::LineOf;
using kernels::RowChunks;
using kernels::RowFold;
using kernels::Scratch;

/// [rows, columns] of a tensor whose last axis are the channels.
struct Matrix {
  explicit Matrix(const Tensor& x)
      : columns(x.size(-1)), rows(columns == 0 ? 0 : x.numel() / columns) {}
  int64_t columns;
  int64_t rows;
};

/// Mean and sum of squared deviations of every column.
struct ColumnMoments {
  explicit ColumnMoments(double* data, int64_t column_count)
      : columns(column_count), mean(data), squares(data + column_count) {
    std::fill(data, data + 2 * columns, 0.0);
  }

  /// Adds a set of `part_size` values per column; part(c) gives the moments of column c.
  template <typename Part>
  void add(double part_size, Part part) {
    double* __restrict to_mean = mean;
    double* __restrict to_squares = squares;
    for (int64_t c = 0; c < columns; ++c) {
      const Moments sum = merge({to_mean[c], to_squares[c]}, count, part(c), part_size);
      to_mean[c] = sum.mean;
      to_squares[c] = sum.squares;
    }
    count += part_size;
  }

  int64_t columns;
  double* mean;
  double* squares;
  double count = 0.0;
};

template <typename T>
void add_deviations(int64_t width, const T* __restrict x, const T* __restrict from,
                    T* __restrict sums, T* __restrict squares) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - from[i];
    sums[i] += deviation;
    squares[i] += deviation * deviation;
  }
}

/// Adds a block of lines. Deviations are taken from the block's own first line, whatever it is:
/// their squares sum up to at most `lines` times the squares around the mean, which bounds the
/// digits lost, with a single read of the block.
template <typename T>
void add_block(const RowFold& fold, const T* block, int64_t lines, int64_t width, T* scratch,
               ColumnMoments& moments) {
  std::fill(scratch, scratch + 2 * fold.width, T(0));
  for (int64_t line = 1; line < lines; ++line) {
    add_deviations(width, block + line * width, block, scratch, scratch + fold.width);
  }
  const auto size = static_cast<double>(lines);
  for (int64_t start = 0; start < width; start += fold.columns) {
    const T* __restrict first = block + start;
    const T* __restrict sums = scratch + start;
    const T* __restrict squares = scratch + fold.width + start;
    moments.add(size, [=](int64_t c) {
      const double sum = sums[c];
      return Moments{first[c] + sum / size, static_cast<double>(squares[c]) - sum * sum / size};
    });
  }
}

/// Fills mean and squared deviations, [2, columns].
template <typename T>
void column_moments(const T* x, const Matrix& matrix, double* result) {
  const RowFold fold(matrix.columns);
  const RowChunks chunks(fold, matrix.rows);
  const int64_t size = 2 * fold.columns;
  const Scratch<double> parts(chunks.count() * size);
  const Scratch<double> counts(chunks.count());
  chunks.for_each([&](int64_t index, int64_t first, int64_t rows) {
    ColumnMoments part(parts.data() + index * size, fold.columns);
    const Scratch<T> scratch(2 * fold.width);
    kernels::for_each_block(fold, rows, [&](int64_t row, int64_t lines, int64_t width) {
      add_block(fold, x + (first + row) * fold.columns, lines, width, scratch.data(), part);
    });
    counts.data()[index] = part.count;
  });
  ColumnMoments total(result, fold.columns);
  for (int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
    const double* const mean = parts.data() + chunk * size;
    total.add(counts.data()[chunk], [=, squares = mean + fold.columns](int64_t c) {
      return Moments{mean[c], squares[c]};
    });
  }
}

void statistics_cpu(const BatchNormStatistics& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Matrix matrix(pass.x);
    if (matrix.columns == 0) return;
    const Scratch<double> moments(2 * matrix.columns);
    column_moments<T>(pass.x.data<T>(), matrix, moments.data());
    const double* const batch_mean = moments.data();
    const double* const squares = moments.data() + matrix.columns;
    const auto count = static_cast<double>(matrix.rows);
    for (int64_t c = 0; c < matrix.columns; ++c) {
      pass.mean.data<double>()[c] = batch_mean[c];
      pass.inverse_std.data<double>()[c] = 1.0 / std::sqrt(squares[c] / count + pass.epsilon);
    }
    if (!pass.running_mean.defined()) return;
    pass.running_mean.bump_version();
    pass.running_var.bump_version();
    T* const mean = pass.running_mean.data<T>();
    T* const var = pass.running_var.data<T>();
    for (int64_t c = 0; c < matrix.columns; ++c) {
      const double unbiased = squares[c] / (count - 1.0);
      mean[c] = static_cast<T>(mean[c] + pass.momentum * (batch_mean[c] - mean[c]));
      var[c] = static_cast<T>(var[c] + pass.momentum * (unbiased - var[c]));
    }
  });
}

void running_cpu(const Tensor& running_mean, const Tensor& running_var, double epsilon,
                 const Tensor& mean, const Tensor& inverse_std) {
  mean.copy_(running_mean);
  inverse_std.copy_(running_var);
  double* const value = inverse_std.data<double>();
  for (int64_t c = 0; c < inverse_std.numel(); ++c) value[c] = 1.0 / std::sqrt(value[c] + epsilon);
}

/// The affine form of each channel of a pass, over a line.
template <typename T>
class AffineLines {
 public:
  template <typename Pass>
  AffineLines(const RowFold& fold, const Pass& pass)
      : centre(fold, [&](int64_t c) { return channel(pass, c).centre; }),
        scale(fold, [&](int64_t c) { return channel(pass, c).scale; }),
        shift(fold, [&](int64_t c) { return channel(pass, c).shift; }) {}

  LineOf<T> centre, scale, shift;

 private:
  template <typename Pass>
  static BatchNormAffine<T> channel(const Pass& pass, int64_t c) {
    return {pass.mean.template data<double>()[c], pass.inverse_std.template data<double>()[c],
            pass.gamma.defined() ? static_cast<double>(pass.gamma.template data<T>()[c]) : 1.0,
            pass.beta.defined() ? static_cast<double>(pass.beta.template data<T>()[c]) : 0.0};
  }
};

// The loops below are functions of their own because compilers vectorise loops over pointers that
// are parameters best.

template <bool relu, typename T>
void forward_line(int64_t width, const T* __restrict x, const T* __restrict centre,
                  const T* __restrict scale, const T* __restrict shift, T* __restrict y) {
  for (int64_t i = 0; i < width; ++i) {
    const T value = (x[i] - centre[i]) * scale[i] + shift[i];
    y[i] = relu && value < T(0) ? T(0) : value;
  }
}

template <bool relu, typename T>
void forward(const BatchNormForward& pass) {
  const Matrix matrix(pass.x);
  const RowFold fold(matrix.columns);
  const AffineLines<T> affine(fold, pass);
  RowChunks(fold, matrix.rows).for_each([&](int64_t /*index*/, int64_t first, int64_t rows) {
    const T* const x = pass.x.data<T>() + first * fold.columns;
    T* const y = pass.y.data<T>() + first * fold.columns;
    kernels::for_each_line(fold, rows, [&](int64_t offset, int64_t width) {
      forward_line<relu>(width, x + offset, affine.centre.data(), affine.scale.data(),
                         affine.shift.data(), y + offset);
    });
  });
}

void forward_cpu(const BatchNormForward& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    pass.relu ? forward<true, T>(pass) : forward<false, T>(pass);
  });
}

/// The gradient that reaches the normalised value: dy, with relu only where the output is positive.
template <bool relu, typename T>
inline T gradient_of(T dy, T deviation, T scale, T shift) {
  return relu && !(deviation * scale + shift > T(0)) ? T(0) : dy;
}

template <bool relu, typename T>
void add_gradient_line(int64_t width, const T* __restrict x, const T* __restrict dy,
                       const T* __restrict centre, const T* __restrict scale,
                       const T* __restrict shift, T* __restrict sum_g, T* __restrict sum_gx) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - centre[i];
    const T g = gradient_of<relu>(dy[i], deviation, scale[i], shift[i]);
    sum_g[i] += g;
    sum_gx[i] += g * deviation;
  }
}

/// Per channel the sums of g and of g * (x - centre).
template <bool relu, typename T>
void gradient_sums(const BatchNormBackward& pass, const RowFold& fold, int64_t rows,
                   const AffineLines<T>& affine, double* sums) {
  const T* const x = pass.x.data<T>();
  const T* const dy = pass.dy.data<T>();
  kernels::column_sums_of<2, T>(fold, rows, sums, [&](int64_t offset, int64_t width, T* partial) {
    add_gradient_line<relu>(width, x + offset, dy + offset, affine.centre.data(),
                            affine.scale.data(), affine.shift.data(), partial,
                            partial + fold.width);
  });
}

/// The coefficients of dx over a line.
template <typename T>
struct GradientLines {
  GradientLines(const RowFold& fold, const BatchNormGradient<T>* channels)
      : a(fold, [=](int64_t channel) { return channels[channel].a; }),
        b(fold, [=](int64_t channel) { return channels[channel].b; }),
        c(fold, [=](int64_t channel) { return channels[channel].c; }) {}

  LineOf<T> a, b, c;
};

template <bool relu, typename T>
void input_gradient_line(int64_t width, const T* __restrict x, const T* __restrict dy,
                         const T* __restrict centre, const T* __restrict scale,
                         const T* __restrict shift, const T* __restrict a, const T* __restrict b,
                         const T* __restrict c, T* __restrict dx) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - centre[i];
    const T g = gradient_of<relu>(dy[i], deviation, scale[i], shift[i]);
    dx[i] = a[i] * g + (b[i] * deviation + c[i]);
  }
}

template <bool relu, typename T>
void input_gradient(const BatchNormBackward& pass, const RowFold& fold, int64_t all_rows,
                    const AffineLines<T>& affine, const BatchNormGradient<T>* channels) {
  const GradientLines<T> lines(fold, channels);
  RowChunks(fold, all_rows).for_each([&](int64_t /*index*/, int64_t first, int64_t rows) {
    const int64_t base = first * fold.columns;
    const T* const x = pass.x.data<T>() + base;
    const T* const dy = pass.dy.data<T>() + base;
    T* const dx = pass.dx.data<T>() + base;
    kernels::for_each_line(fold, rows, [&](int64_t offset, int64_t width) {
      input_gradient_line<relu>(width, x + offset, dy + offset, affine.centre.data(),
                                affine.scale.data(), affine.shift.data(), lines.a.data(),
                                lines.b.data(), lines.c.data(), dx + offset);
    });
  });
}

template <bool relu, typename T>
void backward(const BatchNormBackward& pass) {
  const Matrix matrix(pass.x);
  const RowFold fold(matrix.columns);
  const AffineLines<T> affine(fold, pass);
  const Scratch<double> sums(2 * matrix.columns);
  std::fill(sums.data(), sums.data() + 2 * matrix.columns, 0.0);
  if (pass.training || pass.dgamma.defined() || pass.dbeta.defined()) {
    gradient_sums<relu, T>(pass, fold, matrix.rows, affine, sums.data());
  }
  const Scratch<BatchNormGradient<T>> channels(matrix.columns);
  for (int64_t c = 0; c < matrix.columns; ++c) {
    channels.data()[c] = BatchNormGradient<T>(
        pass.mean.data<double>()[c], pass.inverse_std.data<double>()[c],
        pass.gamma.defined() ? static_cast<double>(pass.gamma.data<T>()[c]) : 1.0,
        static_cast<double>(matrix.rows), pass.training, sums.data()[c],
        sums.data()[matrix.columns + c]);
    if (pass.dgamma.defined()) {
      pass.dgamma.data<T>()[c] = static_cast<T>(channels.data()[c].dgamma);
    }
    if (pass.dbeta.defined()) pass.dbeta.data<T>()[c] = static_cast<T>(channels.data()[c].dbeta);
  }
  if (pass.dx.defined()) {
    input_gradient<relu, T>(pass, fold, matrix.rows, affine, channels.data());
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
    batch_norm_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
