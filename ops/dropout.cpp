#include "diagrad/ops/dropout.h"

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/dropout_kernels.h"

namespace diagrad {
namespace {

DropoutMask make_mask(const char* op, const DropoutOptions& options) {
  DG_CHECK(options.p >= 0.0 && options.p <= 1.0, "{}: probability {} is outside [0, 1]", op,
           options.p);
  DropoutMask mask;
  mask.seed = options.seed;
  mask.stream = options.stream;
  mask.threshold = static_cast<uint64_t>(std::llround(options.p * 0x1p32));
  mask.scale = options.p < 1.0 ? 1.0 / (1.0 - options.p) : 0.0;
  return mask;
}

template <typename Table>
Tensor masked(const char* op, const Table& kernel, const DropoutMask& mask, const Tensor& x) {
  const Tensor y = Tensor::empty_like(x);
  kernel.on(x.device())(mask, x.contiguous(), y);
  return autograd::record({op}, {x}, y, [&kernel, mask](const autograd::BackwardContext& context) {
    const Tensor dy = context.gradient().contiguous();
    const Tensor dx = Tensor::empty_like(dy);
    kernel.on(dy.device())(mask, dy, dx);
    return autograd::Gradients{dx};
  });
}

/// Groups of four elements per chunk.
constexpr int64_t kGrainGroups = 1024;
/// Values that one chunk of drop_path should at least have.
constexpr int64_t kGrainValues = 16384;

template <typename T>
void drop_elements(const DropoutMask& mask, const T* x, int64_t size, T* y) {
  const T scale = static_cast<T>(mask.scale);
  parallel_for((size + 3) / 4, kGrainGroups, [=](int64_t first, int64_t last) {
    for (int64_t group = first; group < last; ++group) {
      bool keep[4];
      mask.group(static_cast<uint64_t>(group), keep);
      const int64_t start = 4 * group;
      const int64_t count = std::min<int64_t>(4, size - start);
      for (int64_t i = 0; i < count; ++i) y[start + i] = keep[i] ? x[start + i] * scale : T(0);
    }
  });
}

template <typename T>
void drop_samples(const DropoutMask& mask, const T* x, int64_t samples, int64_t values, T* y) {
  const T scale = static_cast<T>(mask.scale);
  parallel_for(samples, kGrainValues / std::max<int64_t>(values, 1),
               [=](int64_t first, int64_t last) {
                 for (int64_t b = first; b < last; ++b) {
                   const T* const from = x + b * values;
                   T* const to = y + b * values;
                   if (mask.keeps(static_cast<uint64_t>(b))) {
                     for (int64_t i = 0; i < values; ++i) to[i] = from[i] * scale;
                   } else {
                     std::fill(to, to + values, T(0));
                   }
                 }
               });
}

void dropout_cpu(const DropoutMask& mask, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "dropout", [&](auto tag) {
    using T = typename decltype(tag)::type;
    drop_elements(mask, x.data<T>(), x.numel(), y.data<T>());
  });
}

void drop_path_cpu(const DropoutMask& mask, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "drop_path", [&](auto tag) {
    using T = typename decltype(tag)::type;
    drop_samples(mask, x.data<T>(), x.size(0), x.shape().numel(1, x.rank()), y.data<T>());
  });
}

[[maybe_unused]] const bool registered = dropout_kernel.set(DeviceType::cpu, dropout_cpu) &&
                                         drop_path_kernel.set(DeviceType::cpu, drop_path_cpu);

}  // namespace

Tensor dropout(const Tensor& x, const DropoutOptions& options) {
  return masked("dropout", dropout_kernel, make_mask("dropout", options), x);
}

Tensor drop_path(const Tensor& x, const DropoutOptions& options) {
  DG_CHECK(x.rank() >= 1, "drop_path: expected input [B,...], got {}", x.shape());
  return masked("drop_path", drop_path_kernel, make_mask("drop_path", options), x);
}

}  // namespace diagrad
