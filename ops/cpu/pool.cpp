#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/pool_kernels.h"

namespace diagrad {
namespace {

/// Reads of values that one chunk should at least have.
constexpr int64_t kGrainValues = 16384;

/// Calls body(image, row) for each row of pixels of B images, in parallel. Every output is made by
/// one thread, in one order.
template <typename Body>
void for_each_image_row(int64_t images, int64_t rows, int64_t work_of_row, Body body) {
  const int64_t grain = kGrainValues / std::max<int64_t>(work_of_row, 1);
  parallel_for(images * rows, grain, [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) body(item / rows, item % rows);
  });
}

/// Values read to make one row of outputs.
int64_t work_of_output_row(const PoolGeometry& g) {
  const int64_t height =
      g.h.adaptive ? g.h.input / g.h.output + 1 : std::min(g.h.kernel, g.h.input);
  return height * std::max(g.w.input, g.w.output) * g.channels;
}

template <typename T>
void take_larger(int64_t channels, const T* __restrict x, int32_t place, T* __restrict best,
                 int32_t* __restrict index) {
  for (int64_t c = 0; c < channels; ++c) {
    const bool larger = x[c] > best[c] || x[c] != x[c];  // a NaN is not equal to itself
    best[c] = larger ? x[c] : best[c];
    index[c] = larger ? place : index[c];
  }
}

template <typename T>
void max_forward(const PoolGeometry& g, const Tensor& x, const Tensor& y, const Tensor& indices) {
  const T* const image_data = x.data<T>();
  T* const y_data = y.data<T>();
  int32_t* const index_data = indices.defined() ? indices.data<int32_t>() : nullptr;
  for_each_image_row(g.images, g.h.output, work_of_output_row(g), [&](int64_t b, int64_t out_h) {
    const T* const image = image_data + b * g.h.input * g.w.input * g.channels;
    const kernels::Scratch<int32_t> unwanted(g.channels);
    for (int64_t out_w = 0; out_w < g.w.output; ++out_w) {
      const int64_t out = ((b * g.h.output + out_h) * g.w.output + out_w) * g.channels;
      T* const best = y_data + out;
      int32_t* const index = index_data == nullptr ? unwanted.data() : index_data + out;
      bool empty = true;
      for (int64_t h = g.h.first(out_h); h < g.h.last(out_h); ++h) {
        for (int64_t w = g.w.first(out_w); w < g.w.last(out_w); ++w) {
          const int64_t place = h * g.w.input + w;
          const T* const pixel = image + place * g.channels;
          if (empty) {
            std::copy(pixel, pixel + g.channels, best);
            std::fill(index, index + g.channels, static_cast<int32_t>(place));
            empty = false;
          } else {
            take_larger(g.channels, pixel, static_cast<int32_t>(place), best, index);
          }
        }
      }
    }
  });
}

/// Calls body(element offset of the first channel of the output) for the outputs whose window
/// holds the pixel, in row-major order.
template <typename Body>
void for_each_window(const PoolGeometry& g, int64_t image, int64_t h, int64_t w, Body body) {
  for (int64_t out_h = g.h.first_output(h); out_h < g.h.last_output(h); ++out_h) {
    for (int64_t out_w = g.w.first_output(w); out_w < g.w.last_output(w); ++out_w) {
      body(((image * g.h.output + out_h) * g.w.output + out_w) * g.channels, out_h, out_w);
    }
  }
}

template <typename T>
void add_where(int64_t channels, const T* __restrict dy, const int32_t* __restrict index,
               int32_t place, T* __restrict dx) {
  for (int64_t c = 0; c < channels; ++c) dx[c] += index[c] == place ? dy[c] : T(0);
}

template <typename T>
void max_backward(const PoolGeometry& g, const Tensor& dy, const Tensor& indices,
                  const Tensor& dx) {
  const T* const dy_data = dy.data<T>();
  const int32_t* const index_data = indices.data<int32_t>();
  T* const dx_data = dx.data<T>();
  for_each_image_row(g.images, g.h.input, g.w.input * g.channels, [&](int64_t b, int64_t h) {
    T* pixel = dx_data + (b * g.h.input + h) * g.w.input * g.channels;
    for (int64_t w = 0; w < g.w.input; ++w, pixel += g.channels) {
      std::fill(pixel, pixel + g.channels, T(0));
      const auto place = static_cast<int32_t>(h * g.w.input + w);
      for_each_window(g, b, h, w, [&](int64_t out, int64_t /*out_h*/, int64_t /*out_w*/) {
        add_where(g.channels, dy_data + out, index_data + out, place, pixel);
      });
    }
  });
}

template <typename T>
void add_scaled(int64_t channels, const T* __restrict from, T factor, T* __restrict to) {
  for (int64_t c = 0; c < channels; ++c) to[c] += from[c] * factor;
}

template <typename T>
void average_forward(const PoolGeometry& g, const Tensor& x, const Tensor& y) {
  const T* const image_data = x.data<T>();
  T* const y_data = y.data<T>();
  for_each_image_row(g.images, g.h.output, work_of_output_row(g), [&](int64_t b, int64_t out_h) {
    const T* const image = image_data + b * g.h.input * g.w.input * g.channels;
    T* sum = y_data + (b * g.h.output + out_h) * g.w.output * g.channels;
    for (int64_t out_w = 0; out_w < g.w.output; ++out_w, sum += g.channels) {
      std::fill(sum, sum + g.channels, T(0));
      const T factor = T(1) / static_cast<T>(g.divisor(out_h, out_w));
      for (int64_t h = g.h.first(out_h); h < g.h.last(out_h); ++h) {
        for (int64_t w = g.w.first(out_w); w < g.w.last(out_w); ++w) {
          add_scaled(g.channels, image + (h * g.w.input + w) * g.channels, factor, sum);
        }
      }
    }
  });
}

template <typename T>
void average_backward(const PoolGeometry& g, const Tensor& dy, const Tensor& dx) {
  const T* const dy_data = dy.data<T>();
  T* const dx_data = dx.data<T>();
  for_each_image_row(g.images, g.h.input, g.w.input * g.channels, [&](int64_t b, int64_t h) {
    T* pixel = dx_data + (b * g.h.input + h) * g.w.input * g.channels;
    for (int64_t w = 0; w < g.w.input; ++w, pixel += g.channels) {
      std::fill(pixel, pixel + g.channels, T(0));
      for_each_window(g, b, h, w, [&](int64_t out, int64_t out_h, int64_t out_w) {
        add_scaled(g.channels, dy_data + out, T(1) / static_cast<T>(g.divisor(out_h, out_w)),
                   pixel);
      });
    }
  });
}

void max_forward_cpu(const PoolGeometry& g, const Tensor& x, const Tensor& y,
                     const Tensor& indices) {
  dispatch_floating(x.dtype(), "max_pool2d",
                    [&](auto tag) { max_forward<typename decltype(tag)::type>(g, x, y, indices); });
}

void max_backward_cpu(const PoolGeometry& g, const Tensor& dy, const Tensor& indices,
                      const Tensor& dx) {
  dispatch_floating(dy.dtype(), "max_pool2d backward", [&](auto tag) {
    max_backward<typename decltype(tag)::type>(g, dy, indices, dx);
  });
}

void average_forward_cpu(const PoolGeometry& g, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "avg_pool2d",
                    [&](auto tag) { average_forward<typename decltype(tag)::type>(g, x, y); });
}

void average_backward_cpu(const PoolGeometry& g, const Tensor& dy, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "avg_pool2d backward",
                    [&](auto tag) { average_backward<typename decltype(tag)::type>(g, dy, dx); });
}

[[maybe_unused]] const bool registered =
    max_pool2d_kernel.set(DeviceType::cpu, max_forward_cpu) &&
    max_pool2d_backward_kernel.set(DeviceType::cpu, max_backward_cpu) &&
    avg_pool2d_kernel.set(DeviceType::cpu, average_forward_cpu) &&
    avg_pool2d_backward_kernel.set(DeviceType::cpu, average_backward_cpu);

}  // namespace
}  // namespace diagrad
