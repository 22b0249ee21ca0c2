#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/channel_scale_kernels.h"
#include "diagrad/ops/cpu/image_parts.h"

namespace diagrad {
namespace {

using kernels::ChannelTiling;
using kernels::ImageParts;
using kernels::Scratch;

/// The factors of one image over a line: the tensor itself where a line is a row. None where they
/// are not needed.
template <typename T>
class ScaleLine {
 public:
  ScaleLine(const ChannelTiling& tiling, const T* factors)
      : factors_(factors), line_(tiling.rows > 1 ? tiling.width : 0) {
    if (tiling.rows == 1 || factors == nullptr) return;
    T* const line = line_.data();
    std::copy(factors, factors + tiling.columns, line);
    for (int64_t i = tiling.columns; i < tiling.width; ++i) line[i] = line[i - tiling.columns];
    factors_ = line;
  }
  const T* data() const { return factors_; }

 private:
  const T* factors_;
  Scratch<T> line_;
};

template <bool add, bool relu, typename T>
void forward(const ChannelScaleForward& pass) {
  const ImageParts images(pass.x.shape());
  const ChannelTiling tiling(images.columns);
  const T* const residual_data = add ? pass.residual.data<T>() : nullptr;
  images.for_each([&](int64_t image, int64_t /*index*/, int64_t first, int64_t rows) {
    const ScaleLine<T> line(tiling, pass.s.data<T>() + image * tiling.columns);
    const T* __restrict s = line.data();
    const int64_t base = first * tiling.columns;
    kernels::for_each_line(tiling, rows, [&](int64_t offset, int64_t width) {
      const T* __restrict x = pass.x.data<T>() + base + offset;
      const T* __restrict residual = add ? residual_data + base + offset : nullptr;
      T* __restrict y = pass.y.data<T>() + base + offset;
      for (int64_t i = 0; i < width; ++i) {
        T value = x[i] * s[i];
        if constexpr (add) value += residual[i];
        y[i] = relu && value < T(0) ? T(0) : value;
      }
    });
  });
}

void forward_cpu(const ChannelScaleForward& pass) {
  dispatch_floating(pass.x.dtype(), "channel_scale", [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (!pass.residual.defined()) return forward<false, false, T>(pass);
    pass.relu ? forward<true, true, T>(pass) : forward<true, false, T>(pass);
  });
}

template <typename T>
T* address(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

/// The gradients of one image, line by line; every input is read once.
template <typename T>
class LineGradient {
 public:
  LineGradient(const ChannelScaleBackward& pass, const ChannelTiling& tiling, int64_t image)
      : x_(address<T>(pass.x)),
        y_(address<T>(pass.y)),
        dy_(pass.dy.data<T>()),
        dx_(address<T>(pass.dx)),
        dresidual_(y_ == nullptr ? nullptr : address<T>(pass.dresidual)),
        scale_(tiling, dx_ == nullptr ? nullptr : pass.s.data<T>() + image * tiling.columns),
        masked_(tiling.width) {}

  /// Writes the gradients that are needed and adds the terms of ds to `sums`, unless it is null.
  void operator()(int64_t offset, int64_t width, T* sums) const {
    const T* __restrict g = masked(offset, width);
    if (dx_ != nullptr) {
      const T* __restrict scale = scale_.data();
      T* __restrict dx = dx_ + offset;
      for (int64_t i = 0; i < width; ++i) dx[i] = g[i] * scale[i];
    }
    if (sums != nullptr) {
      const T* __restrict x = x_ + offset;
      T* __restrict sum = sums;
      for (int64_t i = 0; i < width; ++i) sum[i] += g[i] * x[i];
    }
  }

 private:
  /// dy; 0 where a relu follows and its result is 0 or less.
  const T* masked(int64_t offset, int64_t width) const {
    if (y_ == nullptr) return dy_ + offset;
    const T* __restrict dy = dy_ + offset;
    const T* __restrict y = y_ + offset;
    T* __restrict g = dresidual_ == nullptr ? masked_.data() : dresidual_ + offset;
    for (int64_t i = 0; i < width; ++i) g[i] = y[i] <= T(0) ? T(0) : dy[i];
    return g;
  }

  const T* x_;
  const T* y_;
  const T* dy_;
  T* dx_;
  T* dresidual_;
  ScaleLine<T> scale_;
  Scratch<T> masked_;
};

template <typename T>
void backward(const ChannelScaleBackward& pass) {
  const ImageParts images(pass.dy.shape());
  const ChannelTiling tiling(images.columns);
  if (pass.ds.defined()) {
    images.sum(pass.ds.data<T>(), 1.0,
               [&](int64_t image) { return LineGradient<T>(pass, tiling, image); });
    return;
  }
  images.for_each([&](int64_t image, int64_t /*index*/, int64_t first, int64_t rows) {
    const LineGradient<T> line(pass, tiling, image);
    const int64_t base = first * tiling.columns;
    kernels::for_each_line(
        tiling, rows, [&](int64_t offset, int64_t width) { line(base + offset, width, nullptr); });
  });
}

void backward_cpu(const ChannelScaleBackward& pass) {
  dispatch_floating(pass.dy.dtype(), "channel_scale backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    channel_scale_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    channel_scale_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
