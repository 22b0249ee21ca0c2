#include <algorithm>
#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/cross_entropy_kernels.h"

namespace diagrad {
namespace {

constexpr int64_t kGrainValues = 2048;

/// The logarithm of the sum of exponentials of a row, in the two parts that the table describes.
struct LogSum {
  double largest;
  double rest;
  /// -log softmax of a class.
  template <typename T>
  double loss_of(T logit) const {
    return (largest - static_cast<double>(logit)) + rest;
  }
};

template <typename T>
LogSum log_sum_exp(const T* logits, int64_t classes, T* scratch) {
  const T* const top = std::max_element(logits, logits + classes);
  const T largest = *top;
  map_math(
      classes, [=](MathVec<T> x) { return exp_of(x - largest); }, scratch, logits);
  // Without the 1 of the largest, so that log1p, which is slower, keeps the digits of small sums.
  const int64_t place = top - logits;
  double others = static_cast<double>(scratch[place]) - 1.0;  // 0, or NaN for an infinite largest
  for (int64_t k = 0; k < place; ++k) others += static_cast<double>(scratch[k]);
  for (int64_t k = place + 1; k < classes; ++k) others += static_cast<double>(scratch[k]);
  const double log_sum = others < 0.5 ? std::log1p(others) : std::log(1.0 + others);
  return {static_cast<double>(largest), log_sum};
}

/// -sum_k q_k log softmax_k of one row.
template <typename T>
double row_loss(const T* logits, int64_t classes, const LogSum& sum, int64_t label,
                double smoothing) {
  const double own = sum.loss_of(logits[label]);
  if (smoothing == 0.0) return own;
  double all = 0.0;
  for (int64_t k = 0; k < classes; ++k) all += sum.loss_of(logits[k]);
  return (1.0 - smoothing) * own + smoothing / static_cast<double>(classes) * all;
}

template <typename T>
double soft_row_loss(const T* logits, int64_t classes, const LogSum& sum, const T* targets) {
  double loss = 0.0;
  for (int64_t k = 0; k < classes; ++k) {
    if (targets[k] != T(0)) {  // so that 0 * log 0 counts 0
      loss += static_cast<double>(targets[k]) * sum.loss_of(logits[k]);
    }
  }
  return loss;
}

template <typename T>
void forward(const CrossEntropyForward& pass) {
  const int64_t batch = pass.logits.size(0);
  const int64_t classes = pass.logits.size(1);
  const kernels::Scratch<double> losses(batch);
  parallel_for(batch, kGrainValues / classes, [&](int64_t first, int64_t last) {
    const kernels::Scratch<T> scratch(classes);
    for (int64_t row = first; row < last; ++row) {
      const T* const logits = pass.logits.data<T>() + row * classes;
      const LogSum sum = log_sum_exp(logits, classes, scratch.data());
      pass.largest.data<double>()[row] = sum.largest;
      pass.log_sums.data<double>()[row] = sum.rest;
      losses.data()[row] =
          pass.targets.defined()
              ? soft_row_loss(logits, classes, sum, pass.targets.data<T>() + row * classes)
              : row_loss(logits, classes, sum, pass.labels.data<int64_t>()[row],
                         pass.label_smoothing);
    }
  });
  double total = 0.0;
  for (int64_t row = 0; row < batch; ++row) total += losses.data()[row];
  *pass.loss.data<T>() = static_cast<T>(total / static_cast<double>(batch));
}

/// dlogits of one row: factor * (mass * softmax - q), with q in `gradient` beforehand.
template <typename T>
void row_gradient(const T* logits, int64_t classes, const LogSum& sum, T mass, T factor, T* scratch,
                  T* gradient) {
  for (int64_t k = 0; k < classes; ++k) scratch[k] = static_cast<T>(-sum.loss_of(logits[k]));
  using V = MathVec<T>;
  map_math(
      classes, [=](V x, V target) { return factor * (mass * exp_of(x) - target); }, gradient,
      scratch, gradient);
}

template <typename T>
void backward(const CrossEntropyBackward& pass) {
  const int64_t batch = pass.logits.size(0);
  const int64_t classes = pass.logits.size(1);
  const T factor = *pass.dloss.data<T>() / static_cast<T>(batch);
  const double smoothing = pass.label_smoothing;
  parallel_for(batch, kGrainValues / classes, [&](int64_t first, int64_t last) {
    const kernels::Scratch<T> scratch(classes);
    for (int64_t row = first; row < last; ++row) {
      const T* const logits = pass.logits.data<T>() + row * classes;
      const LogSum log_sum{pass.largest.data<double>()[row], pass.log_sums.data<double>()[row]};
      if (pass.dlogits.defined()) {
        T* const gradient = pass.dlogits.data<T>() + row * classes;
        T mass = T(1);
        if (pass.targets.defined()) {
          const T* const targets = pass.targets.data<T>() + row * classes;
          std::copy(targets, targets + classes, gradient);
          double sum = 0.0;
          for (int64_t k = 0; k < classes; ++k) sum += static_cast<double>(targets[k]);
          mass = static_cast<T>(sum);
        } else {
          const double rest = smoothing / static_cast<double>(classes);
          std::fill(gradient, gradient + classes, static_cast<T>(rest));
          gradient[pass.labels.data<int64_t>()[row]] = static_cast<T>(1.0 - smoothing + rest);
        }
        row_gradient(logits, classes, log_sum, mass, factor, scratch.data(), gradient);
      }
      if (pass.dtargets.defined()) {
        T* const gradient = pass.dtargets.data<T>() + row * classes;
        for (int64_t k = 0; k < classes; ++k) {
          gradient[k] = factor * static_cast<T>(log_sum.loss_of(logits[k]));
        }
      }
    }
  });
}

void forward_cpu(const CrossEntropyForward& pass) {
  dispatch_floating(pass.logits.dtype(), "cross_entropy",
                    [&](auto tag) { forward<typename decltype(tag)::type>(pass); });
}

void backward_cpu(const CrossEntropyBackward& pass) {
  dispatch_floating(pass.logits.dtype(), "cross_entropy backward",
                    [&](auto tag) { backward<typename decltype(tag)::type>(pass); });
}

[[maybe_unused]] const bool registered =
    cross_entropy_kernel.set(DeviceType::cpu, forward_cpu) &&
    cross_entropy_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
