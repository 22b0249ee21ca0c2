#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/bn_scale_add_relu_kernels.h"
#include "diagrad/ops/cpu/batch_norm_moments.h"
#include "diagrad/ops/cpu/column_moments.h"
#include "diagrad/ops/cpu/image_parts.h"
#include "diagrad/ops/cpu/normal_lines.h"
#include "diagrad/ops/cpu/pointwise_prologue.h"
#include "diagrad/ops/cpu/scale_add_relu_lines.h"

namespace diagrad {
namespace {

using kernels::ChannelBroadcast;
using kernels::ChannelTiling;
using kernels::ColumnMoments;
using kernels::ImageParts;
using kernels::Scratch;

/// Normalisation of each channel: exact, and as the numbers the loops work with.
template <typename T>
class Channels {
 public:
  struct Channel {
    double gamma, beta, mean, rstd;
    BatchNormAffine<T> affine;
  };

  explicit Channels(const ChannelNorm& norm) : channels_(norm.mean.numel()) {
    for (int64_t c = 0; c < norm.mean.numel(); ++c) {
      Channel& channel = channels_.data()[c];
      channel.gamma = norm.gamma.defined() ? static_cast<double>(norm.gamma.data<T>()[c]) : 1.0;
      channel.beta = norm.beta.defined() ? static_cast<double>(norm.beta.data<T>()[c]) : 0.0;
      channel.mean = norm.mean.data<double>()[c];
      channel.rstd = norm.rstd.data<double>()[c];
      channel.affine = {channel.mean, channel.rstd, channel.gamma, channel.beta};
    }
  }

  const Channel& operator[](int64_t c) const { return channels_.data()[c]; }
  const BatchNormAffine<T>& affine(int64_t c) const { return channels_.data()[c].affine; }

 private:
  Scratch<Channel> channels_;
};

/// Row `image` of [B,C], or ones where there are no factors.
template <typename T>
class Factors {
 public:
  Factors(const Tensor& s, int64_t columns, int64_t image)
      : row_(s.defined() ? s.data<T>() + image * columns : nullptr) {}
  T operator[](int64_t c) const { return row_ == nullptr ? T(1) : row_[c]; }

 private:
  const T* row_;
};

template <typename T>
void statistics(const BnScaleAddReluStatistics& pass) {
  const ImageParts images(pass.batch.x.shape());
  const ChannelTiling tiling(images.columns);
  const int64_t size = 2 * images.columns;
  const Scratch<double> parts(images.images * images.parts * size);
  const Scratch<double> counts(images.images * images.parts);
  const T* const x = pass.batch.x.data<T>();
  const PrologueRows<T> prologue(pass.batch.prologue, pass.batch.x);
  images.for_each([&](int64_t image, int64_t index, int64_t first, int64_t rows) {
    const int64_t item = image * images.parts + index;
    ColumnMoments part(parts.data() + item * size, images.columns);
    kernels::add_rows(tiling, x + first * images.columns, rows, part,
                      [&](int64_t row, int64_t count) { prologue.make(first + row, count); });
    counts.data()[item] = part.count;
  });
  const Scratch<double> of_image(size);
  const Scratch<double> of_batch(size);
  ColumnMoments batch(of_batch.data(), images.columns);
  const auto add = [&](ColumnMoments& total, double count, const double* part) {
    if (count == 0.0) return;
    total.add(count, [=, squares = part + images.columns](int64_t c) {
      return Moments{part[c], squares[c]};
    });
  };
  for (int64_t image = 0; image < images.images; ++image) {
    ColumnMoments total(of_image.data(), images.columns);
    for (int64_t item = image * images.parts; item < (image + 1) * images.parts; ++item) {
      add(total, counts.data()[item], parts.data() + item * size);
    }
    kernels::restore_infinite_means(x + image * images.rows * images.columns, images.rows, total);
    std::copy(total.mean, total.mean + images.columns,
              pass.image_means.data<double>() + image * images.columns);
    add(batch, total.count, of_image.data());
  }
  kernels::restore_infinite_means(x, images.images * images.rows, batch);
  if (pass.training) store_batch_statistics<T>(pass.batch, of_batch.data(), batch.count);
}

void statistics_cpu(const BnScaleAddReluStatistics& pass) {
  dispatch_floating(pass.batch.x.dtype(), "bn_scale_add_relu",
                    [&](auto tag) { statistics<typename decltype(tag)::type>(pass); });
}

void pool_cpu(const ChannelNorm& norm, const Tensor& image_means, const Tensor& pooled) {
  dispatch_floating(pooled.dtype(), "bn_scale_add_relu", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Channels<T> channels(norm);
    const int64_t columns = pooled.size(-1);
    for (int64_t i = 0; i < pooled.numel(); ++i) {
      const auto& channel = channels[i % columns];
      const double deviation = image_means.data<double>()[i] - channel.mean;
      pooled.data<T>()[i] = static_cast<T>(deviation * channel.rstd * channel.gamma + channel.beta);
    }
  });
}

template <typename T>
void forward(const BnScaleAddReluForward& pass) {
  const ImageParts images(pass.x.shape());
  const ChannelTiling tiling(images.columns);
  const Channels<T> channels(pass.norm);
  const ChannelBroadcast<T> pivot(tiling, [&](int64_t c) { return channels.affine(c).pivot; });
  images.for_each([&](int64_t image, int64_t /*index*/, int64_t first, int64_t rows) {
    const Factors<T> s(pass.s, tiling.columns, image);
    const ChannelBroadcast<T> scale(tiling,
                                    [&](int64_t c) { return channels.affine(c).scale * s[c]; });
    const ChannelBroadcast<T> shift(tiling,
                                    [&](int64_t c) { return channels.affine(c).shift * s[c]; });
    const int64_t base = first * tiling.columns;
    kernels::for_each_line(tiling, rows, [&](int64_t offset, int64_t width) {
      kernels::scale_add_relu_line(
          width, pass.x.data<T>() + base + offset, pivot.data(), scale.data(), shift.data(),
          pass.residual.data<T>() + base + offset, pass.z.data<T>() + base + offset);
    });
  });
}

void forward_cpu(const BnScaleAddReluForward& pass) {
  dispatch_floating(pass.x.dtype(), "bn_scale_add_relu",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

template <typename T>
void mask(const BnScaleAddReluMask& pass) {
  const ImageParts images(pass.x.shape());
  const ChannelTiling tiling(images.columns);
  const Channels<T> channels(pass.norm);
  const ChannelBroadcast<T> pivot(tiling, [&](int64_t c) { return channels.affine(c).pivot; });
  const int64_t vectors = images.images * images.columns;
  double* const sums = pass.image_sums.data<double>();
  const auto line = [&](int64_t offset, int64_t width, T* partial) {
    const T* const x = pass.x.data<T>() + offset;
    const T* const z = pass.z.data<T>() + offset;
    const T* const dz = pass.dz.data<T>() + offset;
    T* const du = pass.du.data<T>() + offset;
    if (du == dz) {
      kernels::mask_line(width, x, pivot.data(), z, du, partial, partial + tiling.width);
    } else {
      kernels::mask_line(width, x, pivot.data(), z, dz, du, partial, partial + tiling.width);
    }
  };
  images.sums<2, T>(sums, [&](int64_t /*image*/) { return line; });
  if (!pass.ds.defined()) return;
  for (int64_t i = 0; i < vectors; ++i) {
    const BatchNormAffine<T>& affine = channels.affine(i % images.columns);
    pass.ds.data<T>()[i] = static_cast<T>(static_cast<double>(affine.scale) * sums[vectors + i] +
                                          static_cast<double>(affine.shift) * sums[i]);
  }
}

void mask_cpu(const BnScaleAddReluMask& pass) {
  dispatch_floating(pass.x.dtype(), "bn_scale_add_relu backward",
                    [&](auto tag) { mask<typename decltype(tag)::type>(pass); });
}

/// The gradient that reaches norm(x), summed over all positions of an image: with the factors and
/// the pooled activations' share.
template <typename T>
class ImageGradients {
 public:
  ImageGradients(const BnScaleAddReluBackward& pass, const ImageParts& images,
                 const Channels<T>& channels)
      : pass_(pass), images_(images), channels_(channels) {}

  /// Adds the terms of image `b`: of g and of g * (x - pivot), per channel.
  void add_sums(int64_t b, double* sum_g, double* sum_gx) const {
    const int64_t columns = images_.columns;
    if (pass_.du.defined()) {
      const Factors<T> s(pass_.s, columns, b);
      const double* const du = pass_.image_sums.template data<double>() + b * columns;
      const double* const dux = du + images_.images * columns;
      for (int64_t c = 0; c < columns; ++c) {
        sum_g[c] += static_cast<double>(s[c]) * du[c];
        sum_gx[c] += static_cast<double>(s[c]) * dux[c];
      }
    }
    if (pass_.dpooled.defined()) {
      const T* const share = pass_.dpooled.template data<T>() + b * columns;
      const double* const mean = pass_.image_means.template data<double>() + b * columns;
      for (int64_t c = 0; c < columns; ++c) {
        const auto pivot = static_cast<double>(channels_.affine(c).pivot);
        sum_g[c] += static_cast<double>(share[c]);
        sum_gx[c] += static_cast<double>(share[c]) * (mean[c] - pivot);
      }
    }
  }

  /// What each position of image `b` gets from the pooled activations.
  T share(int64_t b, int64_t c) const {
    if (!pass_.dpooled.defined()) return T(0);
    return pass_.dpooled.template data<T>()[b * images_.columns + c] / static_cast<T>(images_.rows);
  }

 private:
  const BnScaleAddReluBackward& pass_;
  const ImageParts& images_;
  const Channels<T>& channels_;
};

/// The gradient of x, some rows at a time.
template <typename T>
class InputGradient {
 public:
  InputGradient(const BnScaleAddReluBackward& pass, const ImageParts& images,
                const Channels<T>& channels, const BatchNormGradient<T>* terms)
      : pass_(pass),
        images_(images),
        gradients_(pass, images, channels),
        terms_(terms),
        tiling_(images.columns),
        pivot_(tiling_, [&](int64_t c) { return channels.affine(c).pivot; }),
        slope_(tiling_, [=](int64_t c) { return terms[c].b; }) {}

  /// Rows [first, first + rows), of any images, to dx.
  void write(int64_t first, int64_t rows, T* dx) const {
    const int64_t end = first + rows;
    while (first < end) {
      const int64_t image = first / images_.rows;
      const int64_t count = std::min(end, (image + 1) * images_.rows) - first;
      write_part(image, first, count, dx);
      dx += count * images_.columns;
      first += count;
    }
  }

 private:
  void write_part(int64_t image, int64_t first, int64_t rows, T* to) const {
    const Factors<T> s(pass_.s, tiling_.columns, image);
    const ChannelBroadcast<T> scale(tiling_, [&](int64_t c) { return terms_[c].a * s[c]; });
    const ChannelBroadcast<T> shift(
        tiling_, [&](int64_t c) { return terms_[c].c + terms_[c].a * gradients_.share(image, c); });
    const int64_t base = first * tiling_.columns;
    const T* const du = pass_.du.defined() ? pass_.du.template data<T>() + base : nullptr;
    const T* const from = pass_.x.template data<T>() + base;
    // In evaluation the slope is 0; times an infinite x it would be NaN.
    const bool training = pass_.training;
    kernels::for_each_line(tiling_, rows, [&](int64_t offset, int64_t width) {
      const T* const x = from + offset;
      T* const dx = to + offset;
      if (du == nullptr && training) {
        kernels::forward_line<false>(width, x, pivot_.data(), slope_.data(), shift.data(), dx);
      } else if (du == nullptr) {
        std::copy(shift.data(), shift.data() + width, dx);
      } else if (training) {
        kernels::scale_add_relu_gradient_line(width, x, pivot_.data(), du + offset, scale.data(),
                                              slope_.data(), shift.data(), dx);
      } else {
        kernels::scale_shift_line(width, du + offset, scale.data(), shift.data(), dx);
      }
    });
  }

  const BnScaleAddReluBackward& pass_;
  const ImageParts& images_;
  ImageGradients<T> gradients_;
  const BatchNormGradient<T>* terms_;
  ChannelTiling tiling_;
  ChannelBroadcast<T> pivot_;
  ChannelBroadcast<T> slope_;
};

template <typename T>
void backward(const BnScaleAddReluBackward& pass) {
  const ImageParts images(pass.x.shape());
  const Channels<T> channels(pass.norm);
  const ImageGradients<T> gradients(pass, images, channels);
  const Scratch<double> sums(2 * images.columns);
  double* const sum_g = sums.data();
  double* const sum_gx = sum_g + images.columns;
  std::fill(sum_g, sum_gx + images.columns, 0.0);
  for (int64_t b = 0; b < images.images; ++b) gradients.add_sums(b, sum_g, sum_gx);
  const Scratch<BatchNormGradient<T>> terms(images.columns);
  for (int64_t c = 0; c < images.columns; ++c) {
    const auto& channel = channels[c];
    terms.data()[c] = BatchNormGradient<T>(channel.mean, channel.rstd, channel.gamma,
                                           static_cast<double>(images.images * images.rows),
                                           pass.training, sum_g[c], sum_gx[c]);
    if (pass.dgamma.defined()) pass.dgamma.data<T>()[c] = static_cast<T>(terms.data()[c].dgamma);
    if (pass.dbeta.defined()) pass.dbeta.data<T>()[c] = static_cast<T>(terms.data()[c].dbeta);
  }
  const InputGradient<T> gradient(pass, images, channels, terms.data());
  if (pass.prologue.prologue.defined()) {
    prologue_gradients<T>(pass.prologue, [&](int64_t first, int64_t rows, T* dx) {
      gradient.write(first, rows, dx);
    });
  } else if (pass.dx.defined()) {
    images.for_each([&](int64_t /*image*/, int64_t /*index*/, int64_t first, int64_t rows) {
      gradient.write(first, rows, pass.dx.data<T>() + first * images.columns);
    });
  }
}

void backward_cpu(const BnScaleAddReluBackward& pass) {
  dispatch_floating(pass.x.dtype(), "bn_scale_add_relu backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    bn_scale_add_relu_statistics_kernel.set(DeviceType::cpu, statistics_cpu) &&
    bn_scale_add_relu_pool_kernel.set(DeviceType::cpu, pool_cpu) &&
    bn_scale_add_relu_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    bn_scale_add_relu_mask_kernel.set(DeviceType::cpu, mask_cpu) &&
    bn_scale_add_relu_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
