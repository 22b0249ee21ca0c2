#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/train/update_kernels.h"

namespace diagrad::train {
namespace {

constexpr int64_t kGrain = 16384;

template <typename T>
SgdUpdate<T> narrowed(const SgdUpdate<double>& u) {
  return {T(u.lr), T(u.momentum), T(u.weight_decay), T(u.scale), u.nesterov};
}

template <typename T>
AdamwUpdate<T> narrowed(const AdamwUpdate<double>& u) {
  return {T(u.keep),  T(u.step_size), T(u.correction), T(u.beta1),
          T(u.beta2), T(u.epsilon),   T(u.scale)};
}

void sgd_cpu(const Tensor& parameter, const Tensor& gradient, const Tensor& buffer,
             const SgdUpdate<double>& options) {
  dispatch_floating(parameter.dtype(), "sgd", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const SgdUpdate<T> update = narrowed<T>(options);
    T* p = parameter.data<T>();
    const T* g = gradient.data<T>();
    T* b = buffer.defined() ? buffer.data<T>() : nullptr;
    parallel_for(parameter.numel(), kGrain, [=](int64_t first, int64_t last) {
      if (b == nullptr) {
        for (int64_t i = first; i < last; ++i) update(p[i], g[i]);
      } else {
        for (int64_t i = first; i < last; ++i) update(p[i], g[i], b[i]);
      }
    });
  });
}

void adamw_cpu(const Tensor& parameter, const Tensor& gradient, const Tensor& first_moment,
               const Tensor& second_moment, const AdamwUpdate<double>& options) {
  dispatch_floating(parameter.dtype(), "adamw", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const AdamwUpdate<T> update = narrowed<T>(options);
    T* p = parameter.data<T>();
    const T* g = gradient.data<T>();
    T* m = first_moment.data<T>();
    T* v = second_moment.data<T>();
    parallel_for(parameter.numel(), kGrain, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) update(p[i], g[i], m[i], v[i]);
    });
  });
}

void approach_cpu(const Tensor& x, const Tensor& target, double weight) {
  dispatch_floating(x.dtype(), "ema", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T w = T(weight);
    T* a = x.data<T>();
    const T* b = target.data<T>();
    parallel_for(x.numel(), kGrain, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) a[i] += w * (b[i] - a[i]);
    });
  });
}

/// A few running sums let the compiler use vectors; their number is fixed, so the bits are too.
template <typename T>
double sum_of_squares(const T* x, int64_t size) {
  constexpr int64_t kLanes = 8;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(x[i + lane]);
      sums[lane] += value * value;
    }
  }
  double sum = 0.0;
  for (; i < size; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (const double lane : sums) sum += lane;
  return sum;
}

void sum_of_squares_cpu(const Tensor& x, double& sum) {
  const ChunkPlan plan(x.numel(), kGrain);
  std::vector<double> parts(static_cast<size_t>(plan.count));
  dispatch_floating(x.dtype(), "gradient norm", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* data = x.data<T>();
    parallel_for_chunks(plan, x.numel(), [&](int64_t chunk, int64_t first, int64_t last) {
      parts[static_cast<size_t>(chunk)] = sum_of_squares(data + first, last - first);
    });
  });
  sum = 0.0;
  for (const double part : parts) sum += part;
}

[[maybe_unused]] const bool registered =
    sgd_kernel.set(DeviceType::cpu, sgd_cpu) && adamw_kernel.set(DeviceType::cpu, adamw_cpu) &&
    approach_kernel.set(DeviceType::cpu, approach_cpu) &&
    sum_of_squares_kernel.set(DeviceType::cpu, sum_of_squares_cpu);

}  // namespace
}  // namespace diagrad::train
