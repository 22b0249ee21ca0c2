#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/group_norm_kernels.h"

namespace diagrad {
namespace {

using kernels::Scratch;

/// Elements of a row, in a vector: kLanes<T> of them from `first` on.
template <typename T>
struct WholePart {
  int64_t first;
  Vec<T> get(const T* row, T /*filler*/ = T(0)) const { return load<T>(row + first); }
  void put(T* row, const Vec<T>& value) const { store<T>(row + first, value); }
};

/// The last elements of a row, fewer; the other lanes hold `filler`, and nothing is stored there.
template <typename T>
struct LastPart {
  int64_t first;
  int count;
  Vec<T> get(const T* row, T filler = T(0)) const {
    const T* const __restrict source = row + first;
    T lanes[kLanes<T>];
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      lanes[lane] = lane < count ? source[lane] : filler;
    }
    return load<T>(lanes);
  }
  void put(T* row, const Vec<T>& value) const {
    T* const __restrict target = row + first;
    T lanes[kLanes<T>];
    store<T>(lanes, value);
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      if (lane < count) target[lane] = lanes[lane];
    }
  }
};

/// Calls body(part) for the parts of a row.
template <typename T, typename Body>
void for_each_part(int64_t width, Body body) {
  int64_t i = 0;
  for (; i + kLanes<T> <= width; i += kLanes<T>) body(WholePart<T>{i});
  if (i < width) body(LastPart<T>{i, static_cast<int>(width - i)});
}

/// Vectors that are added side by side: a sum of floats has the length of its longest chain in its
/// error, and additions that wait for each other in its time.
constexpr int kChains = 4;

/// Two sums over a row: terms(part, a, b) adds the terms of the part to the vectors a and b.
template <typename T>
struct RowSums {
  T a, b;

  template <typename Terms>
  RowSums(int64_t width, Terms terms) {
    Vec<T> chain_a[kChains] = {};
    Vec<T> chain_b[kChains] = {};
    int64_t i = 0;
    for (; i + kChains * kLanes<T> <= width; i += kChains * kLanes<T>) {
      DG_UNROLL
      for (int k = 0; k < kChains; ++k) {
        terms(WholePart<T>{i + k * kLanes<T>}, chain_a[k], chain_b[k]);
      }
    }
    for (; i + kLanes<T> <= width; i += kLanes<T>) terms(WholePart<T>{i}, chain_a[0], chain_b[0]);
    if (i < width) terms(LastPart<T>{i, static_cast<int>(width - i)}, chain_a[1], chain_b[1]);
    a = horizontal_sum<T>((chain_a[0] + chain_a[1]) + (chain_a[2] + chain_a[3]));
    b = horizontal_sum<T>((chain_b[0] + chain_b[1]) + (chain_b[2] + chain_b[3]));
  }
};

/// The coefficients of one row: x - mean = (x - pivot) + error, pivot being the mean in T.
template <typename T>
struct Row {
  Row(double mean, double rstd_of_row)
      : pivot(static_cast<T>(mean)),
        rstd(rstd_of_row),
        error(static_cast<double>(pivot) - mean),
        scale(static_cast<T>(rstd)),
        shift(static_cast<T>(error * rstd)) {}

  T pivot;
  double rstd;
  double error;
  T scale;  ///< the normalised value is (x - pivot) * scale + shift
  T shift;
};

/// Mean and 1/std of one row, which stays in cache between the two reads. The second one corrects
/// the mean of the first.
template <typename T>
void row_statistics(int64_t width, const T* x, double epsilon, double& mean, double& rstd) {
  const T first = x[0];
  const RowSums<T> sum(width, [=](auto part, Vec<T>& differences, Vec<T>& /*unused*/) {
    differences += part.get(x, first) - first;
  });
  const double inverse_size = 1.0 / static_cast<double>(width);
  const T pivot = static_cast<T>(first + static_cast<double>(sum.a) * inverse_size);
  const RowSums<T> sums(width, [=](auto part, Vec<T>& rest, Vec<T>& squares) {
    const Vec<T> difference = part.get(x, pivot) - pivot;
    rest += difference;
    squares += difference * difference;
  });
  const double correction = static_cast<double>(sums.a) * inverse_size;
  const double variance = static_cast<double>(sums.b) * inverse_size - correction * correction;
  mean = static_cast<double>(pivot) + correction;
  rstd = 1.0 / std::sqrt(std::max(variance, 0.0) + epsilon);
}

template <typename T>
void forward_row(int64_t width, const T* x, const Row<T>& row, const T* gamma, const T* beta,
                 T* y) {
  for_each_part<T>(width, [=](auto part) {
    const Vec<T> normal = (part.get(x) - row.pivot) * row.scale + row.shift;
    part.put(y, normal * load<T>(gamma + part.first) + load<T>(beta + part.first));
  });
}

/// The width of a row in whole vectors: vectors of parameters and of their sums are padded to it,
/// so that only x, y and their gradients have a remainder.
template <typename T>
int64_t padded(int64_t width) {
  return (width + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// gamma or beta, padded, or a constant where it is undefined.
template <typename T>
class ParameterRow {
 public:
  ParameterRow(const Tensor& vector, int64_t width, T otherwise) : memory_(padded<T>(width)) {
    std::fill(memory_.data(), memory_.data() + padded<T>(width), otherwise);
    if (vector.defined()) std::copy_n(vector.data<T>(), width, memory_.data());
  }
  const T* data() const { return memory_.data(); }

 private:
  Scratch<T> memory_;
};

constexpr int64_t kBlockBytes = 16384;

ChunkPlan plan_of(int64_t rows, int64_t width) {
  return {rows, kernels::kRowGrainValues / std::max<int64_t>(width, 1)};
}

template <typename T>
void forward(const GroupNormForward& pass) {
  const int64_t width = pass.x.size(-1);
  const int64_t rows = pass.mean.numel();
  if (width == 0) return;
  const ParameterRow<T> gamma(pass.gamma, width, T(1));
  const ParameterRow<T> beta(pass.beta, width, T(0));
  const T* const x = pass.x.data<T>();
  T* const y = pass.y.data<T>();
  double* const mean = pass.mean.data<double>();
  double* const rstd = pass.rstd.data<double>();
  // The statistics of a row are one long chain of operations, so several rows are under way at
  // once, as many as stay in the first cache until they are read again.
  const int64_t rows_of_block =
      std::max<int64_t>(1, kBlockBytes / static_cast<int64_t>(sizeof(T)) / width);
  parallel_for_chunks(plan_of(rows, width), rows,
                      [&](int64_t /*chunk*/, int64_t begin, int64_t end) {
                        for (int64_t block = begin; block < end; block += rows_of_block) {
                          const int64_t block_end = std::min(block + rows_of_block, end);
                          for (int64_t r = block; r < block_end; ++r) {
                            row_statistics(width, x + r * width, pass.epsilon, mean[r], rstd[r]);
                          }
                          for (int64_t r = block; r < block_end; ++r) {
                            forward_row(width, x + r * width, Row<T>(mean[r], rstd[r]),
                                        gamma.data(), beta.data(), y + r * width);
                          }
                        }
                      });
}

/// The sums of one row that its input gradient needs: over dy gamma, and over dy gamma (x - pivot).
/// Adds its terms of dgamma and dbeta, too, where they are asked for.
template <bool kParameters, typename T>
RowSums<T> backward_sums(int64_t width, const T* x, const T* dy, const T* gamma, const Row<T>& row,
                         T* dgamma, T* dbeta) {
  return {width, [=](auto part, Vec<T>& sum, Vec<T>& sum_x) {
            const Vec<T> gradient = part.get(dy);
            const Vec<T> difference = part.get(x, row.pivot) - row.pivot;
            const Vec<T> product = gradient * load<T>(gamma + part.first);
            sum += product;
            sum_x += product * difference;
            if constexpr (kParameters) {
              store<T>(dgamma + part.first, load<T>(dgamma + part.first) +
                                                gradient * (difference * row.scale + row.shift));
              store<T>(dbeta + part.first, load<T>(dbeta + part.first) + gradient);
            }
          }};
}

template <typename T>
void input_gradient_row(int64_t width, const T* x, const T* dy, const T* gamma, const Row<T>& row,
                        const RowSums<T>& sums, bool accumulate, T* dx) {
  const auto sum = static_cast<double>(sums.a);
  const double inverse_size = 1.0 / static_cast<double>(width);
  const double moment = row.rstd * (static_cast<double>(sums.b) + row.error * sum);
  const double slope_of_row = -row.rstd * row.rstd * moment * inverse_size;
  const T slope = static_cast<T>(slope_of_row);
  const T offset = static_cast<T>(-row.rstd * sum * inverse_size + slope_of_row * row.error);
  for_each_part<T>(width, [=](auto part) {
    const Vec<T> product = part.get(dy) * load<T>(gamma + part.first);
    Vec<T> gradient = row.scale * product + (slope * (part.get(x) - row.pivot) + offset);
    if (accumulate) gradient += part.get(dx);
    part.put(dx, gradient);
  });
}

/// Sums over rows in T that join sums in double after some rows.
template <typename T>
class ParameterSums {
 public:
  ParameterSums(int64_t count, double* totals) : count_(count), totals_(totals), block_(count) {
    std::fill(totals, totals + count, 0.0);
    std::fill(block_.data(), block_.data() + count, T(0));
  }
  T* block() const { return block_.data(); }
  void row_done() {
    if (++rows_ == kernels::kBlockLines) flush();
  }
  void flush() {
    rows_ = 0;
    for (int64_t i = 0; i < count_; ++i) {
      totals_[i] += static_cast<double>(block_.data()[i]);
      block_.data()[i] = T(0);
    }
  }

 private:
  int64_t count_;
  double* totals_;
  Scratch<T> block_;
  int64_t rows_ = 0;
};

template <typename T>
void backward(const GroupNormBackward& pass) {
  const int64_t width = pass.x.size(-1);
  const int64_t rows = pass.mean.numel();
  const bool parameters = pass.dgamma.defined() || pass.dbeta.defined();
  const ParameterRow<T> gamma(pass.gamma, width, T(1));
  const T* const x = pass.x.data<T>();
  const T* const dy = pass.dy.data<T>();
  T* const dx = pass.dx.defined() ? pass.dx.data<T>() : nullptr;
  const double* const mean = pass.mean.data<double>();
  const double* const rstd = pass.rstd.data<double>();
  const ChunkPlan plan = plan_of(rows, width);
  const int64_t dbeta_at = padded<T>(width);
  const int64_t stride = 2 * dbeta_at;
  const Scratch<double> parts(plan.count * stride);
  parallel_for_chunks(plan, rows, [&](int64_t chunk, int64_t begin, int64_t end) {
    ParameterSums<T> sums(parameters ? stride : 0, parts.data() + chunk * stride);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t first = r * width;
      const Row<T> row(mean[r], rstd[r]);
      const RowSums<T> row_sums =
          parameters ? backward_sums<true>(width, x + first, dy + first, gamma.data(), row,
                                           sums.block(), sums.block() + dbeta_at)
                     : backward_sums<false, T>(width, x + first, dy + first, gamma.data(), row,
                                               nullptr, nullptr);
      if (parameters) sums.row_done();
      if (dx != nullptr) {
        input_gradient_row(width, x + first, dy + first, gamma.data(), row, row_sums,
                           pass.accumulate, dx + first);
      }
    }
    sums.flush();
  });
  if (!parameters) return;
  // In place, chunk by chunk: the sums of the first chunk become the totals.
  for (int64_t chunk = 1; chunk < plan.count; ++chunk) {
    const double* const part = parts.data() + chunk * stride;
    for (int64_t i = 0; i < stride; ++i) parts.data()[i] += part[i];
  }
  const auto write = [&](const Tensor& result, int64_t first) {
    if (!result.defined()) return;
    T* const target = result.data<T>();
    for (int64_t i = 0; i < width; ++i) {
      target[i] = plan.count == 0 ? T(0) : static_cast<T>(parts.data()[first + i]);
    }
  };
  write(pass.dgamma, 0);
  write(pass.dbeta, dbeta_at);
}

void forward_cpu(const GroupNormForward& pass) {
  dispatch_floating(pass.x.dtype(), "layer_norm",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

void backward_cpu(const GroupNormBackward& pass) {
  dispatch_floating(pass.x.dtype(), "layer_norm backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    layer_norm_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    layer_norm_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
