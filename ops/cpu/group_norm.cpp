#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/cpu/column_moments.h"
#include "diagrad/ops/cpu/normal_lines.h"
#include "diagrad/ops/group_norm_kernels.h"
#include "diagrad/ops/unary_math.h"

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

/// What is added to each channel of one image.
template <typename T>
class ChannelShift {
 public:
  ChannelShift(const Tensor& shift, int64_t image)
      : of_image_(shift.defined() ? shift.data<T>() + image * shift.size(1) : nullptr) {}
  double operator[](int64_t c) const {
    return of_image_ != nullptr ? static_cast<double>(of_image_[c]) : 0.0;
  }

 private:
  const T* of_image_;
};

/// The statistics of one image: moments per channel, merged over the channels of each group.
template <typename T>
void group_statistics(const Images& images, const ChannelTiling& tiling, const T* x,
                      const ChannelShift<T>& added, double epsilon, double* mean, double* rstd) {
  const Scratch<double> memory(2 * images.channels);
  ColumnMoments channels(memory.data(), images.channels);
  kernels::add_rows(tiling, x, images.rows, channels);
  const auto size = static_cast<double>(images.rows);
  for (int64_t g = 0; g < images.groups; ++g) {
    Moments group;
    for (int64_t k = 0; k < images.group_size && images.rows > 0; ++k) {
      const int64_t c = g * images.group_size + k;
      group = merge(group, static_cast<double>(k) * size,
                    {channels.mean[c] + added[c], channels.squares[c]}, size);
    }
    const double count = size * static_cast<double>(images.group_size);
    mean[g] = group.mean;
    rstd[g] = 1.0 / std::sqrt(group.squares / std::max(count, 1.0) + epsilon);
  }
}

template <typename T>
void silu_line(int64_t width, const T* x, const T* pivot, const T* scale, const T* shift, T* y) {
  const unary::Silu<T> silu{};
  map_math<T>(
      width,
      [silu](const MathVec<T>& value, const MathVec<T>& from, const MathVec<T>& factor,
             const MathVec<T>& term) { return silu.value((value - from) * factor + term); },
      y, x, pivot, scale, shift);
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
    const ChannelShift<T> added(pass.shift, image);
    group_statistics(images, tiling, x, added, pass.epsilon, mean, rstd);
    const auto affine = [&](int64_t c) {
      const int64_t g = c / images.group_size;
      return BatchNormAffine<T>(mean[g] - added[c], rstd[g], value_or<T>(pass.gamma, c, 1.0),
                                value_or<T>(pass.beta, c, 0.0));
    };
    const ChannelBroadcast<T> pivot(tiling, [&](int64_t c) { return affine(c).pivot; });
    const ChannelBroadcast<T> scale(tiling, [&](int64_t c) { return affine(c).scale; });
    const ChannelBroadcast<T> shift(tiling, [&](int64_t c) { return affine(c).shift; });
    kernels::for_each_line(tiling, images.rows, [&](int64_t offset, int64_t width) {
      const auto line = pass.silu ? silu_line<T> : kernels::forward_line<false, T>;
      line(width, x + offset, pivot.data(), scale.data(), shift.data(), y + offset);
    });
  });
}

/// What the gradients of one image need: per group mean, 1/std and the coefficients of
/// dx = scale * dy + slope * (x - pivot) + offset; see docs/notes/group_norm.md. The offset of a
/// channel takes the rounding of its pivot into account.
struct GroupGradient {
  double mean, rstd, slope, offset;
};

/// One image in the backward pass.
template <typename T>
struct ImageGradient {
  ImageGradient(const GroupNormBackward& whole, const Images& all, int64_t number)
      : pass(whole),
        images(all),
        image(number),
        added(whole.shift, number),
        groups(all.groups),
        x(whole.x.data<T>() + number * all.values()),
        dy(whole.dy.data<T>() + number * all.values()) {
    for (int64_t g = 0; g < images.groups; ++g) {
      groups.data()[g] = {whole.mean.data<double>()[number * images.groups + g],
                          whole.rstd.data<double>()[number * images.groups + g], 0.0, 0.0};
    }
  }

  const GroupGradient& group(int64_t c) const { return groups.data()[c / images.group_size]; }
  double mean(int64_t c) const { return group(c).mean - added[c]; }
  T pivot(int64_t c) const { return static_cast<T>(mean(c)); }
  double error(int64_t c) const { return static_cast<double>(pivot(c)) - mean(c); }
  double scale(int64_t c) const { return value_or<T>(pass.gamma, c, 1.0) * group(c).rstd; }
  double offset(int64_t c) const { return group(c).offset + group(c).slope * error(c); }

  const GroupNormBackward& pass;
  const Images& images;
  int64_t image;
  ChannelShift<T> added;
  Scratch<GroupGradient> groups;
  const T* x;
  T* dy;
};

/// From the sums of dy and dy * (x - pivot) per channel of one image, [2, C], which become its
/// shares of dbeta and dgamma.
template <typename T>
void solve_groups(ImageGradient<T>& own, double* sums) {
  const Images& images = own.images;
  double* const sum_g = sums;
  double* const sum_gx = sums + images.channels;
  const auto count = static_cast<double>(images.rows * images.group_size);
  for (int64_t g = 0; g < images.groups; ++g) {
    GroupGradient& group = own.groups.data()[g];
    double all = 0.0;    // of gamma * dy
    double all_x = 0.0;  // of gamma * dy * xhat
    for (int64_t c = g * images.group_size; c < (g + 1) * images.group_size; ++c) {
      const double gamma = value_or<T>(own.pass.gamma, c, 1.0);
      sum_gx[c] = group.rstd * (sum_gx[c] + own.error(c) * sum_g[c]);
      all += gamma * sum_g[c];
      all_x += gamma * sum_gx[c];
    }
    group.slope = -group.rstd * group.rstd * all_x / count;
    group.offset = -group.rstd * all / count;
  }
}

/// Replaces dy by the gradient g before silu and adds g, g * (x - pivot) and x - pivot to the sums.
/// One exponential serves the derivative and y, which may be null.
template <typename T>
void silu_gradient_line(int64_t width, const T* x, const T* pivot, const T* scale, const T* shift,
                        T* dy, T* y, T* sums, int64_t stride) {
  using V = MathVec<T>;
  const unary::Silu<T> silu{};
  for (int64_t i = 0; i < width; i += kMathLanes<T>) {
    const int64_t count = std::min(kMathLanes<T>, width - i);
    const V deviation = load_math(x + i, count) - load_math(pivot + i, count);
    const V value = deviation * load_math(scale + i, count) + load_math(shift + i, count);
    const V g = load_math(dy + i, count) * silu.derivative(value);
    store_math(dy + i, g, count);
    if (y != nullptr) store_math(y + i, silu.value(value), count);
    const auto add = [&](int64_t term, const V& what) {
      T* const to = sums + term * stride + i;
      store_math(to, load_math(to, count) + what, count);
    };
    add(0, g);
    add(1, g * deviation);
    add(2, deviation);
  }
}

/// The same over an image: three sums per channel.
template <typename T>
void silu_gradient(const ImageGradient<T>& own, const ChannelTiling& tiling,
                   const ChannelBroadcast<T>& pivot, double* sums) {
  const GroupNormBackward& pass = own.pass;
  const ChannelBroadcast<T> scale(tiling, [&](int64_t c) { return static_cast<T>(own.scale(c)); });
  const ChannelBroadcast<T> shift(tiling, [&](int64_t c) {
    return BatchNormAffine<T>(own.mean(c), own.group(c).rstd, value_or<T>(pass.gamma, c, 1.0),
                              value_or<T>(pass.beta, c, 0.0))
        .shift;
  });
  T* const y = pass.y.defined() ? pass.y.data<T>() + own.image * own.images.values() : nullptr;
  kernels::add_column_sums<3, T>(
      tiling, own.images.rows, sums, [&](int64_t offset, int64_t width, T* partial) {
        silu_gradient_line<T>(width, own.x + offset, pivot.data(), scale.data(), shift.data(),
                              own.dy + offset, y == nullptr ? y : y + offset, partial,
                              tiling.width);
      });
}

/// The sum of dx over the positions of each channel, from the sums of g and of x - pivot.
template <typename T>
void shift_gradient(const ImageGradient<T>& own, const double* sums) {
  const int64_t channels = own.images.channels;
  const auto rows = static_cast<double>(own.images.rows);
  const Tensor& dshift = own.pass.dshift;
  T* const to = dshift.data<T>() + own.image * channels;
  for (int64_t c = 0; c < channels; ++c) {
    to[c] = own.images.rows == 0 ? T(0)
                                 : static_cast<T>(own.scale(c) * sums[c] +
                                                  own.group(c).slope * sums[2 * channels + c] +
                                                  rows * own.offset(c));
  }
}

/// dx = a * g + b * (x - pivot) + c, or that added to dx; g may be dx.
template <bool accumulate, typename T>
void add_input_gradient_line(int64_t width, const T* x, const T* g, const T* pivot, const T* a,
                             const T* b, const T* c, T* dx) {
  for (int64_t i = 0; i < width; i += kMathLanes<T>) {
    const int64_t count = std::min(kMathLanes<T>, width - i);
    const MathVec<T> deviation = load_math(x + i, count) - load_math(pivot + i, count);
    MathVec<T> value = load_math(a + i, count) * load_math(g + i, count) +
                       (load_math(b + i, count) * deviation + load_math(c + i, count));
    if constexpr (accumulate) value += load_math(dx + i, count);
    store_math(dx + i, value, count);
  }
}

template <typename T>
void input_gradient(const ImageGradient<T>& own, const ChannelTiling& tiling,
                    const ChannelBroadcast<T>& pivot) {
  const ChannelBroadcast<T> scale(tiling, [&](int64_t c) { return static_cast<T>(own.scale(c)); });
  const ChannelBroadcast<T> slope(tiling,
                                  [&](int64_t c) { return static_cast<T>(own.group(c).slope); });
  const ChannelBroadcast<T> shift(tiling, [&](int64_t c) { return static_cast<T>(own.offset(c)); });
  const Tensor& result = own.pass.dx;
  T* const dx = result.data<T>() + own.image * own.images.values();
  const auto add =
      own.pass.accumulate ? add_input_gradient_line<true, T> : add_input_gradient_line<false, T>;
  kernels::for_each_line(tiling, own.images.rows, [&](int64_t offset, int64_t width) {
    if (own.pass.silu) {
      add(width, own.x + offset, own.dy + offset, pivot.data(), scale.data(), slope.data(),
          shift.data(), dx + offset);
    } else {
      kernels::input_gradient_line<false, true>(
          width, own.x + offset, own.dy + offset, pivot.data(), pivot.data(), pivot.data(),
          scale.data(), slope.data(), shift.data(), dx + offset);
    }
  });
}

/// Sums [3, C], of which the first two become the shares of dbeta and dgamma.
template <typename T>
void image_gradient(ImageGradient<T>& own, const ChannelTiling& tiling, double* sums) {
  const ChannelBroadcast<T> pivot(tiling, [&](int64_t c) { return own.pivot(c); });
  std::fill(sums, sums + 3 * own.images.channels, 0.0);
  if (own.pass.silu) {
    silu_gradient(own, tiling, pivot, sums);
  } else {
    kernels::add_column_sums<2, T>(
        tiling, own.images.rows, sums, [&](int64_t offset, int64_t width, T* partial) {
          kernels::add_gradient_line<false>(width, own.x + offset, own.dy + offset, pivot.data(),
                                            pivot.data(), pivot.data(), partial,
                                            partial + tiling.width);
        });
  }
  solve_groups(own, sums);
  if (own.pass.dshift.defined()) shift_gradient(own, sums);
  if (own.pass.dx.defined()) input_gradient(own, tiling, pivot);
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
  const int64_t stride = 3 * images.channels;
  const Scratch<double> shares(images.count * stride);
  images.for_each([&](int64_t image) {
    ImageGradient<T> own(pass, images, image);
    image_gradient(own, tiling, shares.data() + image * stride);
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
