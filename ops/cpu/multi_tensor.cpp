#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/multi_tensor_kernels.h"
#include "diagrad/ops/multi_tensor_math.h"

namespace diagrad {
namespace {

constexpr int64_t kGrain = 16384;

/// One range over the elements of many tensors: element i of tensor t is at offsets[t] + i.
class MultiTensorView {
 public:
  template <typename Item, typename TensorOf>
  MultiTensorView(std::span<const Item> items, TensorOf tensor_of) {
    offsets_.reserve(items.size() + 1);
    for (const Item& item : items) offsets_.push_back(offsets_.back() + tensor_of(item).numel());
  }

  int64_t size() const { return offsets_.back(); }
  /// Calls body(t, first, last) for the parts of tensors that lie in [first, last).
  template <typename Body>
  void for_each_part(int64_t first, int64_t last, Body body) const {
    auto next = std::upper_bound(offsets_.begin(), offsets_.end(), first);
    while (first < last) {
      const int64_t start = *std::prev(next);
      const int64_t end = std::min(last, *next);
      if (first < end) {
        body(static_cast<size_t>(next - offsets_.begin() - 1), first - start, end - start);
      }
      first = end;
      ++next;
    }
  }

 private:
  std::vector<int64_t> offsets_{0};
};

void sgd_cpu(std::span<const SgdTensors> tensors, const SgdHyperparameters& values) {
  const MultiTensorView all(tensors,
                            [](const SgdTensors& t) -> const Tensor& { return t.parameter; });
  const auto part = [&](size_t number, int64_t first, int64_t last) {
    const SgdTensors& t = tensors[number];
    dispatch_floating(t.parameter.dtype(), "multi_tensor_sgd", [&](auto tag) {
      using T = typename decltype(tag)::type;
      const SgdUpdate<T> update(values);
      T* p = t.parameter.data<T>();
      const T* g = t.gradient.data<T>();
      if (!t.buffer.defined()) {
        for (int64_t i = first; i < last; ++i) update(p[i], g[i]);
        return;
      }
      T* b = t.buffer.data<T>();
      for (int64_t i = first; i < last; ++i) update(p[i], g[i], b[i]);
    });
  };
  parallel_for(all.size(), kGrain,
               [&](int64_t first, int64_t last) { all.for_each_part(first, last, part); });
}

void adamw_cpu(std::span<const AdamwTensors> tensors, const AdamwHyperparameters& values) {
  std::vector<AdamwBiasCorrection> corrections;
  corrections.reserve(tensors.size());
  for (const AdamwTensors& t : tensors) corrections.emplace_back(values, t.step);
  const MultiTensorView all(tensors,
                            [](const AdamwTensors& t) -> const Tensor& { return t.parameter; });
  const auto part = [&](size_t number, int64_t first, int64_t last) {
    const AdamwTensors& t = tensors[number];
    dispatch_floating(t.parameter.dtype(), "multi_tensor_adamw", [&](auto tag) {
      using T = typename decltype(tag)::type;
      const AdamwUpdate<T> update(values, corrections[number]);
      T* p = t.parameter.data<T>();
      const T* g = t.gradient.data<T>();
      T* m = t.first_moment.data<T>();
      T* v = t.second_moment.data<T>();
      for (int64_t i = first; i < last; ++i) update(p[i], g[i], m[i], v[i]);
    });
  };
  parallel_for(all.size(), kGrain,
               [&](int64_t first, int64_t last) { all.for_each_part(first, last, part); });
}

void lerp_cpu(std::span<const LerpTensors> tensors, double weight) {
  const MultiTensorView all(tensors, [](const LerpTensors& t) -> const Tensor& { return t.x; });
  const auto part = [&](size_t number, int64_t first, int64_t last) {
    const LerpTensors& t = tensors[number];
    dispatch_floating(t.x.dtype(), "multi_tensor_lerp", [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T w = T(weight);
      T* a = t.x.data<T>();
      const T* b = t.target.data<T>();
      for (int64_t i = first; i < last; ++i) a[i] += w * (b[i] - a[i]);
    });
  };
  parallel_for(all.size(), kGrain,
               [&](int64_t first, int64_t last) { all.for_each_part(first, last, part); });
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

double sum_of_squares_cpu(std::span<const Tensor> tensors) {
  const MultiTensorView all(tensors, [](const Tensor& t) -> const Tensor& { return t; });
  const ChunkPlan plan(all.size(), kGrain);
  std::vector<double> sums(static_cast<size_t>(plan.count));
  parallel_for_chunks(plan, all.size(), [&](int64_t chunk, int64_t first, int64_t last) {
    all.for_each_part(first, last, [&](size_t number, int64_t begin, int64_t end) {
      dispatch_floating(tensors[number].dtype(), "sum_of_squares", [&](auto tag) {
        const auto* data = tensors[number].data<typename decltype(tag)::type>();
        sums[static_cast<size_t>(chunk)] += sum_of_squares(data + begin, end - begin);
      });
    });
  });
  double sum = 0.0;
  for (const double part : sums) sum += part;
  return sum;
}

[[maybe_unused]] const bool registered =
    multi_tensor_sgd_kernel.set(DeviceType::cpu, sgd_cpu) &&
    multi_tensor_adamw_kernel.set(DeviceType::cpu, adamw_cpu) &&
    multi_tensor_lerp_kernel.set(DeviceType::cpu, lerp_cpu) &&
    sum_of_squares_kernel.set(DeviceType::cpu, sum_of_squares_cpu);

}  // namespace
}  // namespace diagrad
