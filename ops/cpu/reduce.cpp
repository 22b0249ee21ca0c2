#include <algorithm>
#include <cmath>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/cpu/moments.h"
#include "diagrad/ops/reduce_kernels.h"

namespace diagrad {
namespace {

constexpr int64_t kGrain = 16384;

/// Results from which on each is made by one thread.
constexpr int64_t kManyResults = 16;

/// Independent partial sums let the compiler use whole vectors.
constexpr int64_t kLanes = 8;

/// The sum of term(x[i]), which is computed in double.
template <typename T, typename Term>
double row_sum(const T* x, int64_t count, Term term) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += term(static_cast<double>(x[i + lane]));
    }
  }
  for (; i < count; ++i) lanes[i % kLanes] += term(static_cast<double>(x[i]));
  double total = 0.0;
  for (const double lane : lanes) total += lane;
  return total;
}

/// The same in parallel, chunks added in order.
struct LongRowSum {
  template <typename T, typename Term>
  double operator()(const T* x, int64_t count, Term term) const {
    const ChunkPlan plan(count, kGrain);
    std::vector<double> parts(static_cast<size_t>(plan.count));
    parallel_for_chunks(plan, count, [&](int64_t chunk, int64_t first, int64_t last) {
      parts[static_cast<size_t>(chunk)] = row_sum(x + first, last - first, term);
    });
    double total = 0.0;
    for (const double part : parts) total += part;
    return total;
  }
};

struct ShortRowSum {
  template <typename T, typename Term>
  double operator()(const T* x, int64_t count, Term term) const {
    return row_sum(x, count, term);
  }
};

/// sums[i] += x[r,i] over rows, for `count` neighbouring columns of a row of `inner`.
template <typename T>
void add_rows(const T* x, int64_t rows, int64_t inner, int64_t count, double* sums) {
  if (inner == 1) {
    *sums += row_sum(x, rows, [](double value) { return value; });
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(x[r * inner + i]);
  }
}

template <typename T>
void store(const double* sums, int64_t count, double scale, T* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<T>(scale * sums[i]);
}

/// Columns that are summed at once: their sums stay in the first cache.
constexpr int64_t kColumns = 512;

/// Few rows with many columns, as of a batch of feature maps. The columns are cut: sums per chunk
/// of rows would be as large as x.
bool cuts_columns(int64_t reduced, int64_t inner) {
  return inner >= 4 * kColumns && reduced <= 8 * ChunkPlan::kMaxChunks;
}

template <typename T>
void sum_by_columns(const T* x, int64_t reduced, int64_t inner, double scale, T* y) {
  const int64_t grain = std::max(kColumns, kGrain / std::max<int64_t>(reduced, 1));
  parallel_for(inner, grain, [&](int64_t first, int64_t last) {
    for (int64_t column = first; column < last; column += kColumns) {
      const int64_t count = std::min(kColumns, last - column);
      double sums[kColumns] = {};
      add_rows(x + column, reduced, inner, count, sums);
      store(sums, count, scale, y + column);
    }
  });
}

/// Few results of long sums: the rows are cut into chunks whose sums are added in order.
template <typename T>
void sum_by_rows(const T* x, int64_t reduced, int64_t inner, double scale, T* y) {
  const ChunkPlan plan(reduced, std::max<int64_t>(1, kGrain / inner));
  const kernels::Scratch<double> partial(plan.count * inner);
  parallel_for_chunks(plan, reduced, [&](int64_t chunk, int64_t first, int64_t last) {
    double* const sums = partial.data() + chunk * inner;
    std::fill(sums, sums + inner, 0.0);
    add_rows(x + first * inner, last - first, inner, inner, sums);
  });
  const kernels::Scratch<double> total(inner);
  std::fill(total.data(), total.data() + inner, 0.0);
  for (int64_t chunk = 0; chunk < plan.count; ++chunk) {
    const double* const sums = partial.data() + chunk * inner;
    for (int64_t i = 0; i < inner; ++i) total.data()[i] += sums[i];
  }
  store(total.data(), inner, scale, y);
}

void sum_cpu(const Tensor& x, int64_t outer, int64_t reduced, int64_t inner, double scale,
             const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_floating(x.dtype(), "sum", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const source = x.data<T>();
    T* const target = y.data<T>();
    if (outer < kManyResults) {
      for (int64_t a = 0; a < outer; ++a) {
        const T* const rows = source + a * reduced * inner;
        if (cuts_columns(reduced, inner)) {
          sum_by_columns(rows, reduced, inner, scale, target + a * inner);
        } else {
          sum_by_rows(rows, reduced, inner, scale, target + a * inner);
        }
      }
      return;
    }
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, reduced * inner));
    parallel_for(outer, grain, [&](int64_t first, int64_t last) {
      std::vector<double> sums(static_cast<size_t>(inner));
      for (int64_t a = first; a < last; ++a) {
        sums.assign(sums.size(), 0.0);
        add_rows(source + a * reduced * inner, reduced, inner, inner, sums.data());
        store(sums.data(), inner, scale, target + a * inner);
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

/// Mean and sum of squared deviations of a row, in two passes. The second one corrects the mean of
/// the first, which is rounded where T is double.
template <typename T, typename Sum>
Moments row_moments(const T* x, int64_t count, Sum sum) {
  const auto size = static_cast<double>(count);
  const double mean = sum(x, count, [](double value) { return value; }) / size;
  const double rest = sum(x, count, [mean](double value) { return value - mean; });
  const double squares =
      sum(x, count, [mean](double value) { return (value - mean) * (value - mean); });
  const double corrected = squares - rest * rest / size;
  // An infinite mean stays; its correction is infinity minus infinity.
  return {std::isfinite(rest) ? mean + rest / size : mean, corrected < 0.0 ? 0.0 : corrected};
}

void var_cpu(const Tensor& x, int64_t outer, int64_t reduced, double divisor, const Tensor& mean,
             const Tensor& y) {
  dispatch_floating(x.dtype(), "var", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto run = [&](int64_t row, auto sum) {
      const Moments moments = row_moments(x.data<T>() + row * reduced, reduced, sum);
      mean.data<double>()[row] = moments.mean;
      y.data<T>()[row] = static_cast<T>(moments.squares / divisor);
    };
    if (outer < kManyResults) {
      for (int64_t row = 0; row < outer; ++row) run(row, LongRowSum());
      return;
    }
    parallel_for(outer, std::max<int64_t>(1, kGrain / reduced), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) run(row, ShortRowSum());
    });
  });
}

void var_backward_cpu(const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t reduced,
                      double divisor, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "var backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const source = x.data<T>();
    T* const target = dx.data<T>();
    parallel_for(x.numel(), kGrain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last;) {
        const int64_t row = i / reduced;
        const double center = mean.data<double>()[row];
        const double factor = 2.0 / divisor * static_cast<double>(dy.data<T>()[row]);
        for (const int64_t end = std::min(last, (row + 1) * reduced); i < end; ++i) {
          target[i] = static_cast<T>(factor * (static_cast<double>(source[i]) - center));
        }
      }
    });
  });
}

[[maybe_unused]] const bool registered =
    sum_kernel.set(DeviceType::cpu, sum_cpu) && max_kernel.set(DeviceType::cpu, max_cpu) &&
    max_backward_kernel.set(DeviceType::cpu, max_backward_cpu) &&
    var_kernel.set(DeviceType::cpu, var_cpu) &&
    var_backward_kernel.set(DeviceType::cpu, var_backward_cpu);

}  // namespace
}  // namespace diagrad
