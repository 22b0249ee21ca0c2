#include <algorithm>
#include <cmath>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/reduce_kernels.h"

namespace diagrad {
namespace {

constexpr int64_t kGrain = 16384;

/// Independent partial sums let the compiler use whole vectors.
constexpr int64_t kLanes = 8;

template <typename T>
double row_sum(const T* x, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += static_cast<double>(x[i + lane]);
  }
  for (; i < count; ++i) lanes[i % kLanes] += static_cast<double>(x[i]);
  double total = 0.0;
  for (const double lane : lanes) total += lane;
  return total;
}

/// sums[i] += x[r,i] over rows.
template <typename T>
void add_rows(const T* x, int64_t rows, int64_t inner, double* sums) {
  if (inner == 1) {
    *sums += row_sum(x, rows);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < inner; ++i) sums[i] += static_cast<double>(x[r * inner + i]);
  }
}

template <typename T>
void store(const std::vector<double>& sums, double scale, T* y) {
  for (size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<T>(scale * sums[i]);
}

/// Few results of long sums: the rows are cut into chunks whose sums are added in order.
template <typename T>
void sum_by_rows(const T* x, int64_t reduced, int64_t inner, double scale, T* y) {
  const ChunkPlan plan(reduced, std::max<int64_t>(1, kGrain / inner));
  std::vector<std::vector<double>> partial(static_cast<size_t>(plan.count));
  parallel_for_chunks(plan, reduced, [&](int64_t chunk, int64_t first, int64_t last) {
    auto& sums = partial[static_cast<size_t>(chunk)];
    sums.assign(static_cast<size_t>(inner), 0.0);
    add_rows(x + first * inner, last - first, inner, sums.data());
  });
  std::vector<double> total(static_cast<size_t>(inner), 0.0);
  for (const auto& sums : partial) {
    for (size_t i = 0; i < sums.size(); ++i) total[i] += sums[i];
  }
  store(total, scale, y);
}

void sum_cpu(const Tensor& x, int64_t outer, int64_t reduced, int64_t inner, double scale,
             const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_floating(x.dtype(), "sum", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const source = x.data<T>();
    T* const target = y.data<T>();
    constexpr int64_t kManyResults = 16;
    if (outer < kManyResults) {
      for (int64_t a = 0; a < outer; ++a) {
        sum_by_rows(source + a * reduced * inner, reduced, inner, scale, target + a * inner);
      }
      return;
    }
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, reduced * inner));
    parallel_for(outer, grain, [&](int64_t first, int64_t last) {
      std::vector<double> sums(static_cast<size_t>(inner));
      for (int64_t a = first; a < last; ++a) {
        sums.assign(sums.size(), 0.0);
        add_rows(source + a * reduced * inner, reduced, inner, sums.data());
        store(sums, scale, target + a * inner);
      }
    });
  });
}

void max_cpu(const Tensor& x, int64_t outer, int64_t reduced, const Tensor& values,
             const Tensor& indices) {
  dispatch_floating(x.dtype(), "max", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const source = x.data<T>();
    T* const value = values.data<T>();
    int64_t* const place = indices.data<int64_t>();
    parallel_for(outer, std::max<int64_t>(1, kGrain / reduced), [&](int64_t first, int64_t last) {
      for (int64_t a = first; a < last; ++a) {
        const T* const row = source + a * reduced;
        int64_t best = 0;
        for (int64_t r = 1; r < reduced && !std::isnan(row[best]); ++r) {
          if (row[r] > row[best] || std::isnan(row[r])) best = r;
        }
        value[a] = row[best];
        place[a] = best;
      }
    });
  });
}

void max_backward_cpu(const Tensor& dy, const Tensor& indices, int64_t reduced, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "max backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const gradient = dy.data<T>();
    const int64_t* const place = indices.data<int64_t>();
    T* const target = dx.data<T>();
    const int64_t grain = std::max<int64_t>(1, kGrain / reduced);
    parallel_for(dy.numel(), grain, [&](int64_t first, int64_t last) {
      std::fill(target + first * reduced, target + last * reduced, T(0));
      for (int64_t a = first; a < last; ++a) target[a * reduced + place[a]] = gradient[a];
    });
  });
}

[[maybe_unused]] const bool registered = sum_kernel.set(DeviceType::cpu, sum_cpu) &&
                                         max_kernel.set(DeviceType::cpu, max_cpu) &&
                                         max_backward_kernel.set(DeviceType::cpu, max_backward_cpu);

}  // namespace
}  // namespace diagrad
