#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_front.h"
#include "diagrad/ops/batch_norm_join_kernels.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/batch_norm_moments.h"
#include "diagrad/ops/kernels/column_moments.h"
#include "diagrad/ops/kernels/image_parts.h"
#include "diagrad/ops/kernels/join_lines.h"
#include "diagrad/ops/kernels/normal_lines.h"

namespace diagrad {
namespace {

using kernels::ColumnMoments;
using kernels::ImageParts;
using kernels::LineOf;
using kernels::RowFold;
using kernels::Scratch;

/// Normalisation of each channel: exact, and as the numbers the loops work with.
template <typename T>
class Channels {
 public:
  struct Channel {
    double gamma, beta, mean, inverse_std;
    BatchNormAffine<T> affine;
  };

  explicit Channels(const ChannelNorm& norm) : channels_(norm.mean.numel()) {
    for (int64_t c = 0; c < norm.mean.numel(); ++c) {
      Channel& channel = channels_.data()[c];
      channel.gamma = norm.gamma.defined() ? static_cast<double>(norm.gamma.data<T>()[c]) : 1.0;
      channel.beta = norm.beta.defined() ? static_cast<double>(norm.beta.data<T>()[c]) : 0.0;
      channel.mean = norm.mean.data<double>()[c];
      channel.inverse_std = norm.inverse_std.data<double>()[c];
      channel.affine = {channel.mean, channel.inverse_std, channel.gamma, channel.beta};
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
void statistics(const BatchNormJoinStatistics& pass) {
  const ImageParts images(pass.batch.x.shape());
  const RowFold fold(images.columns);
  const int64_t size = 2 * images.columns;
  const Scratch<double> parts(images.images * images.parts * size);
  const Scratch<double> counts(images.images * images.parts);
  const T* const x = pass.batch.x.data<T>();
  const FrontRows<T> front(pass.batch.front, pass.batch.x);
  images.for_each([&](int64_t image, int64_t index, int64_t first, int64_t rows) {
    const int64_t item = image * images.parts + index;
    ColumnMoments part(parts.data() + item * size, images.columns);
    kernels::add_rows(fold, x + first * images.columns, rows, part,
                      [&](int64_t row, int64_t count) { front.make(first + row, count); });
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
    std::copy(total.mean, total.mean + images.columns,
              pass.image_means.data<double>() + image * images.columns);
    add(batch, total.count, of_image.data());
  }
  if (pass.training) store_batch_statistics<T>(pass.batch, of_batch.data(), batch.count);
}

void statistics_cpu(const BatchNormJoinStatistics& pass) {
  dispatch_floating(pass.batch.x.dtype(), "batch_norm_join",
                    [&](auto tag) { statistics<typename decltype(tag)::type>(pass); });
}

void pool_cpu(const ChannelNorm& norm, const Tensor& image_means, const Tensor& pooled) {
  dispatch_floating(pooled.dtype(), "batch_norm_join", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Channels<T> channels(norm);
    const int64_t columns = pooled.size(-1);
    for (int64_t i = 0; i < pooled.numel(); ++i) {
      const auto& channel = channels[i % columns];
      const double deviation = image_means.data<double>()[i] - channel.mean;
      pooled.data<T>()[i] =
          static_cast<T>(deviation * channel.inverse_std * channel.gamma + channel.beta);
    }
  });
}

template <typename T>
void forward(const BatchNormJoinForward& pass) {
  const ImageParts images(pass.x.shape());
  const RowFold fold(images.columns);
  const Channels<T> channels(pass.norm);
  const LineOf<T> centre(fold, [&](int64_t c) { return channels.affine(c).centre; });
  images.for_each([&](int64_t image, int64_t /*index*/, int64_t first, int64_t rows) {
    const Factors<T> s(pass.s, fold.columns, image);
    const LineOf<T> scale(fold, [&](int64_t c) { return channels.affine(c).scale * s[c]; });
    const LineOf<T> shift(fold, [&](int64_t c) { return channels.affine(c).shift * s[c]; });
    const int64_t base = first * fold.columns;
    kernels::for_each_line(fold, rows, [&](int64_t offset, int64_t width) {
      kernels::join_line(width, pass.x.data<T>() + base + offset, centre.data(), scale.data(),
                         shift.data(), pass.residual.data<T>() + base + offset,
                         pass.z.data<T>() + base + offset);
    });
  });
}

void forward_cpu(const BatchNormJoinForward& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm_join",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

template <typename T>
void mask(const BatchNormJoinMask& pass) {
  const ImageParts images(pass.x.shape());
  const RowFold fold(images.columns);
  const Channels<T> channels(pass.norm);
  const LineOf<T> centre(fold, [&](int64_t c) { return channels.affine(c).centre; });
  const int64_t vectors = images.images * images.columns;
  double* const sums = pass.image_sums.data<double>();
  const auto line = [&](int64_t offset, int64_t width, T* partial) {
    const T* const x = pass.x.data<T>() + offset;
    const T* const z = pass.z.data<T>() + offset;
    const T* const dz = pass.dz.data<T>() + offset;
    T* const du = pass.du.data<T>() + offset;
    if (du == dz) {
      kernels::mask_line(width, x, centre.data(), z, du, partial, partial + fold.width);
    } else {
      kernels::mask_line(width, x, centre.data(), z, dz, du, partial, partial + fold.width);
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

void mask_cpu(const BatchNormJoinMask& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm_join backward",
                    [&](auto tag) { mask<typename decltype(tag)::type>(pass); });
}

/// The gradient that reaches norm(x), summed over all positions of an image: with the factors and
/// the pooled activations' share.
template <typename T>
class ImageGradients {
 public:
  ImageGradients(const BatchNormJoinBackward& pass, const ImageParts& images,
                 const Channels<T>& channels)
      : pass_(pass), images_(images), channels_(channels) {}

  /// Adds the terms of image `b`: of g and of g * (x - centre), per channel.
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
        const auto centre = static_cast<double>(channels_.affine(c).centre);
        sum_g[c] += static_cast<double>(share[c]);
        sum_gx[c] += static_cast<double>(share[c]) * (mean[c] - centre);
      }
    }
  }

  /// What each position of image `b` gets from the pooled activations.
  T share(int64_t b, int64_t c) const {
    if (!pass_.dpooled.defined()) return T(0);
    return pass_.dpooled.template data<T>()[b * images_.columns + c] / static_cast<T>(images_.rows);
  }

 private:
  const BatchNormJoinBackward& pass_;
  const ImageParts& images_;
  const Channels<T>& channels_;
};

/// The gradient of x, some rows at a time.
template <typename T>
class InputGradient {
 public:
  InputGradient(const BatchNormJoinBackward& pass, const ImageParts& images,
                const Channels<T>& channels, const BatchNormGradient<T>* terms)
      : pass_(pass),
        images_(images),
        gradients_(pass, images, channels),
        terms_(terms),
        fold_(images.columns),
        centre_(fold_, [&](int64_t c) { return channels.affine(c).centre; }),
        slope_(fold_, [=](int64_t c) { return terms[c].b; }) {}

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
    const Factors<T> s(pass_.s, fold_.columns, image);
    const LineOf<T> scale(fold_, [&](int64_t c) { return terms_[c].a * s[c]; });
    const LineOf<T> shift(
        fold_, [&](int64_t c) { return terms_[c].c + terms_[c].a * gradients_.share(image, c); });
    const int64_t base = first * fold_.columns;
    const T* const du = pass_.du.defined() ? pass_.du.template data<T>() + base : nullptr;
    const T* const from = pass_.x.template data<T>() + base;
    kernels::for_each_line(fold_, rows, [&](int64_t offset, int64_t width) {
      const T* const x = from + offset;
      T* const dx = to + offset;
      if (du == nullptr) {
        kernels::forward_line<false>(width, x, centre_.data(), slope_.data(), shift.data(), dx);
      } else {
        kernels::join_gradient_line(width, x, centre_.data(), du + offset, scale.data(),
                                    slope_.data(), shift.data(), dx);
      }
    });
  }

  const BatchNormJoinBackward& pass_;
  const ImageParts& images_;
  ImageGradients<T> gradients_;
  const BatchNormGradient<T>* terms_;
  RowFold fold_;
  LineOf<T> centre_;
  LineOf<T> slope_;
};

template <typename T>
void backward(const BatchNormJoinBackward& pass) {
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
    terms.data()[c] = BatchNormGradient<T>(channel.mean, channel.inverse_std, channel.gamma,
                                           static_cast<double>(images.images * images.rows),
                                           pass.training, sum_g[c], sum_gx[c]);
    if (pass.dgamma.defined()) pass.dgamma.data<T>()[c] = static_cast<T>(terms.data()[c].dgamma);
    if (pass.dbeta.defined()) pass.dbeta.data<T>()[c] = static_cast<T>(terms.data()[c].dbeta);
  }
  const InputGradient<T> gradient(pass, images, channels, terms.data());
  if (pass.front.front.defined()) {
    front_gradients<T>(
        pass.front, [&](int64_t first, int64_t rows, T* dx) { gradient.write(first, rows, dx); });
  } else if (pass.dx.defined()) {
    images.for_each([&](int64_t /*image*/, int64_t /*index*/, int64_t first, int64_t rows) {
      gradient.write(first, rows, pass.dx.data<T>() + first * images.columns);
    });
  }
}

void backward_cpu(const BatchNormJoinBackward& pass) {
  dispatch_floating(pass.x.dtype(), "batch_norm_join backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    batch_norm_join_statistics_kernel.set(DeviceType::cpu, statistics_cpu) &&
    batch_norm_join_pool_kernel.set(DeviceType::cpu, pool_cpu) &&
    batch_norm_join_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    batch_norm_join_mask_kernel.set(DeviceType::cpu, mask_cpu) &&
    batch_norm_join_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
