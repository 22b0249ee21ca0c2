#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/cpu/column_moments.h"
#include "diagrad/ops/cpu/normal_lines.h"
#include "diagrad/ops/group_norm_kernels.h"

namespace diagrad {
namespace {

using kernels::ChannelBroadcast;
using kernels::ChannelTiling;
using kernels::ColumnMoments;
using kernels::Scratch;

struct Images {
  Images(const Tensor& x, int64_t group_count)
      : count(x.size(0)),
        rows(x.shape().numel(1, x.rank() - 1)),
        channels(x.size(-1)),
        groups(group_count),
        group_size(channels / groups) {}

  int64_t values() const { return rows * channels; }
  /// Calls body(image) in parallel; an image is served by one thread.
  template <typename Body>
  void for_each(Body body) const {
    const int64_t grain = kernels::kRowGrainValues / std::max<int64_t>(values(), 1);
    parallel_for(count, grain, [&](int64_t first, int64_t last) {
      for (int64_t image = first; image < last; ++image) body(image);
    });
  }

  int64_t count, rows, channels, groups, group_size;
};

template <typename T>
double value_or(const Tensor& vector, int64_t index, double otherwise) {
  return vector.defined() ? static_cast<double>(vector.data<T>()[index]) : otherwise;
}

/// The statistics of one image: moments per channel, merged over the channels of each group.
template <typename T>
void group_statistics(const Images& images, const ChannelTiling& tiling, const T* x, double epsilon,
                      double* mean, double* rstd) {
  const Scratch<double> memory(2 * images.channels);
  ColumnMoments channels(memory.data(), images.channels);
  kernels::add_rows(tiling, x, images.rows, channels);
  const auto size = static_cast<double>(images.rows);
  for (int64_t g = 0; g < images.groups; ++g) {
    Moments group;
    for (int64_t k = 0; k < images.group_size && images.rows > 0; ++k) {
      const int64_t c = g * images.group_size + k;
      group = merge(group, static_cast<double>(k) * size, {channels.mean[c], channels.squares[c]},
                    size);
    }
    const double count = size * static_cast<double>(images.group_size);
    mean[g] = group.mean;
    rstd[g] = 1.0 / std::sqrt(group.squares / std::max(count, 1.0) + epsilon);
  }
}

template <typename T>
void forward(const GroupNormForward& pass) {
  const Images images(pass.x, pass.groups);
  const ChannelTiling tiling(images.channels);
  images.for_each([&](int64_t image) {
    const T* const x = pass.x.data<T>() + image * images.values();
    T* const y = pass.y.data<T>() + image * images.values();
    double* const mean = pass.mean.data<double>() + image * images.groups;
    double* const rstd = pass.rstd.data<double>() + image * images.groups;
    group_statistics(images, tiling, x, pass.epsilon, mean, rstd);
    const auto affine = [&](int64_t c) {
      const int64_t g = c / images.group_size;
      return BatchNormAffine<T>(mean[g], rstd[g], value_or<T>(pass.gamma, c, 1.0),
                                value_or<T>(pass.beta, c, 0.0));
    };
    const ChannelBroadcast<T> pivot(tiling, [&](int64_t c) { return affine(c).pivot; });
    const ChannelBroadcast<T> scale(tiling, [&](int64_t c) { return affine(c).scale; });
    const ChannelBroadcast<T> shift(tiling, [&](int64_t c) { return affine(c).shift; });
    kernels::for_each_line(tiling, images.rows, [&](int64_t offset, int64_t width) {
      kernels::forward_line<false>(width, x + offset, pivot.data(), scale.data(), shift.data(),
                                   y + offset);
    });
  });
}

/// What the gradients of one image need: per group mean, 1/std and the coefficients of
/// dx = scale * dy + slope * (x - pivot) + offset; see docs/notes/group_norm.md.
struct GroupGradient {
  double mean, rstd, error, slope, offset;
};

/// From the sums of dy and dy * (x - pivot) per channel of one image, [2, C], which become its
/// shares of dbeta and dgamma.
template <typename T>
void solve_groups(const GroupNormBackward& pass, const Images& images, int64_t image, double* sums,
                  GroupGradient* groups) {
  double* const sum_g = sums;
  double* const sum_gx = sums + images.channels;
  const auto count = static_cast<double>(images.rows * images.group_size);
  for (int64_t g = 0; g < images.groups; ++g) {
    GroupGradient& group = groups[g];
    group.mean = pass.mean.data<double>()[image * images.groups + g];
    group.rstd = pass.rstd.data<double>()[image * images.groups + g];
    group.error = static_cast<double>(static_cast<T>(group.mean)) - group.mean;
    double all = 0.0;    // of gamma * dy
    double all_x = 0.0;  // of gamma * dy * xhat
    for (int64_t c = g * images.group_size; c < (g + 1) * images.group_size; ++c) {
      const double gamma = value_or<T>(pass.gamma, c, 1.0);
      sum_gx[c] = group.rstd * (sum_gx[c] + group.error * sum_g[c]);
      all += gamma * sum_g[c];
      all_x += gamma * sum_gx[c];
    }
    group.slope = -group.rstd * group.rstd * all_x / count;
    group.offset = -group.rstd * all / count + group.slope * group.error;
  }
}

template <typename T>
void image_gradient(const GroupNormBackward& pass, const Images& images,
                    const ChannelTiling& tiling, int64_t image, double* sums) {
  const T* const x = pass.x.data<T>() + image * images.values();
  const T* const dy = pass.dy.data<T>() + image * images.values();
  const double* const mean = pass.mean.data<double>() + image * images.groups;
  const ChannelBroadcast<T> pivot(
      tiling, [&](int64_t c) { return static_cast<T>(mean[c / images.group_size]); });
  std::fill(sums, sums + 2 * images.channels, 0.0);
  kernels::add_column_sums<2, T>(
      tiling, images.rows, sums, [&](int64_t offset, int64_t width, T* partial) {
        kernels::add_gradient_line<false>(width, x + offset, dy + offset, pivot.data(),
                                          pivot.data(), pivot.data(), partial,
                                          partial + tiling.width);
      });
  const Scratch<GroupGradient> groups(images.groups);
  solve_groups<T>(pass, images, image, sums, groups.data());
  if (!pass.dx.defined()) return;
  const auto group_of = [&](int64_t c) { return groups.data()[c / images.group_size]; };
  const ChannelBroadcast<T> scale(tiling, [&](int64_t c) {
    return static_cast<T>(value_or<T>(pass.gamma, c, 1.0) * group_of(c).rstd);
  });
  const ChannelBroadcast<T> slope(tiling,
                                  [&](int64_t c) { return static_cast<T>(group_of(c).slope); });
  const ChannelBroadcast<T> shift(tiling,
                                  [&](int64_t c) { return static_cast<T>(group_of(c).offset); });
  T* const dx = pass.dx.data<T>() + image * images.values();
  kernels::for_each_line(tiling, images.rows, [&](int64_t offset, int64_t width) {
    kernels::input_gradient_line<false, true>(width, x + offset, dy + offset, pivot.data(),
                                              pivot.data(), pivot.data(), scale.data(),
                                              slope.data(), shift.data(), dx + offset);
  });
}

template <typename T>
void add_up(const Tensor& result, const double* shares, int64_t count, int64_t stride,
            int64_t first) {
  if (!result.defined()) return;
  for (int64_t c = 0; c < result.numel(); ++c) {
    double sum = 0.0;
    for (int64_t image = 0; image < count; ++image) sum += shares[image * stride + first + c];
    result.data<T>()[c] = static_cast<T>(sum);
  }
}

template <typename T>
void backward(const GroupNormBackward& pass) {
  const Images images(pass.x, pass.groups);
  const ChannelTiling tiling(images.channels);
  const int64_t stride = 2 * images.channels;
  const Scratch<double> shares(images.count * stride);
  images.for_each([&](int64_t image) {
    image_gradient<T>(pass, images, tiling, image, shares.data() + image * stride);
  });
  add_up<T>(pass.dbeta, shares.data(), images.count, stride, 0);
  add_up<T>(pass.dgamma, shares.data(), images.count, stride, images.channels);
}

void forward_cpu(const GroupNormForward& pass) {
  dispatch_floating(pass.x.dtype(), "group_norm",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

void backward_cpu(const GroupNormBackward& pass) {
  dispatch_floating(pass.x.dtype(), "group_norm backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    group_norm_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    group_norm_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
