#include <algorithm>
#include <cmath>

#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/cross_entropy_kernels.h"
#include "diagrad/ops/losses.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check_labels(const Tensor& logits, const Tensor& labels) {
  DG_CHECK(labels.dtype() == DType::i64 && labels.shape() == Shape({logits.size(0)}),
           "cross_entropy: expected labels i64 [{}] for logits {}, got {} {}", logits.size(0),
           logits.shape(), labels.dtype(), labels.shape());
  const int64_t classes = logits.size(1);
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const int64_t label = labels.data<int64_t>()[i];
    DG_CHECK(label >= 0 && label < classes,
             "cross_entropy: label {} at index {} is outside [0, {}); give the model as many "
             "classes as the data has",
             label, i, classes);
  }
}

void check_logits(const char* op, const Tensor& logits) {
  DG_CHECK(logits.rank() == 2, "{}: expected logits [B,K], got {}; reshape to rows of classes", op,
           logits.shape());
  DG_CHECK(logits.numel() > 0, "{}: logits {} are empty, the mean over the batch is undefined", op,
           logits.shape());
}

/// One of labels and targets is undefined.
Tensor record_loss(const char* op, const Tensor& logits, const Tensor& labels,
                   const Tensor& targets, double label_smoothing) {
  const CrossEntropyForward pass{
      logits.contiguous(),
      labels,
      targets.defined() ? targets.contiguous() : targets,
      label_smoothing,
      Tensor::empty({logits.size(0)}, DType::f64, logits.device()),
      Tensor::empty({}, logits.dtype(), logits.device()),
  };
  cross_entropy_kernel.on(logits.device())(pass);
  return autograd::record({op}, {logits, targets}, pass.loss,
                          [label_smoothing, log_sums = pass.log_sums,
                           logits = SavedTensor(pass.logits), labels = SavedTensor(pass.labels),
                           targets = SavedTensor(pass.targets)](const BackwardContext& context) {
                            CrossEntropyBackward back{logits.get(context),
                                                      labels.get(context),
                                                      targets.get(context),
                                                      label_smoothing,
                                                      log_sums,
                                                      context.gradient(),
                                                      Tensor(),
                                                      Tensor()};
                            if (context.needs(0)) back.dlogits = Tensor::empty_like(back.logits);
                            if (context.needs(1)) back.dtargets = Tensor::empty_like(back.logits);
                            cross_entropy_backward_kernel.on(back.logits.device())(back);
                            return Gradients{back.dlogits, back.dtargets};
                          });
}

constexpr int64_t kGrainValues = 2048;

template <typename T>
double log_sum_exp(const T* logits, int64_t classes, T* scratch) {
  const T largest = *std::max_element(logits, logits + classes);
  map_math(
      classes, [=](MathVec<T> x) { return exp_of(x - largest); }, scratch, logits);
  double sum = 0.0;
  for (int64_t k = 0; k < classes; ++k) sum += static_cast<double>(scratch[k]);
  return static_cast<double>(largest) + std::log(sum);
}

/// -sum_k q_k log softmax_k of one row; -log softmax_k = log_sum - logit_k.
template <typename T>
double row_loss(const T* logits, int64_t classes, double log_sum, int64_t label, double smoothing) {
  const double own = log_sum - static_cast<double>(logits[label]);
  if (smoothing == 0.0) return own;
  double all = 0.0;
  for (int64_t k = 0; k < classes; ++k) all += log_sum - static_cast<double>(logits[k]);
  return (1.0 - smoothing) * own + smoothing / static_cast<double>(classes) * all;
}

template <typename T>
double soft_row_loss(const T* logits, int64_t classes, double log_sum, const T* targets) {
  double loss = 0.0;
  for (int64_t k = 0; k < classes; ++k) {
    if (targets[k] != T(0)) {  // so that 0 * log 0 counts 0
      loss += static_cast<double>(targets[k]) * (log_sum - static_cast<double>(logits[k]));
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
      const double log_sum = log_sum_exp(logits, classes, scratch.data());
      pass.log_sums.data<double>()[row] = log_sum;
      losses.data()[row] =
          pass.targets.defined()
              ? soft_row_loss(logits, classes, log_sum, pass.targets.data<T>() + row * classes)
              : row_loss(logits, classes, log_sum, pass.labels.data<int64_t>()[row],
                         pass.label_smoothing);
    }
  });
  double total = 0.0;
  for (int64_t row = 0; row < batch; ++row) total += losses.data()[row];
  *pass.loss.data<T>() = static_cast<T>(total / static_cast<double>(batch));
}

/// dlogits of one row: factor * (mass * softmax - q), with q in `gradient` beforehand.
template <typename T>
void row_gradient(const T* logits, int64_t classes, double log_sum, T mass, T factor, T* scratch,
                  T* gradient) {
  for (int64_t k = 0; k < classes; ++k) {
    scratch[k] = static_cast<T>(static_cast<double>(logits[k]) - log_sum);
  }
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
      const double log_sum = pass.log_sums.data<double>()[row];
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
          gradient[k] = factor * static_cast<T>(log_sum - static_cast<double>(logits[k]));
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

Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                     const CrossEntropyOptions& options) {
  check_logits("cross_entropy", logits);
  DG_CHECK(options.label_smoothing >= 0.0 && options.label_smoothing <= 1.0,
           "cross_entropy: label_smoothing {} is outside [0, 1]", options.label_smoothing);
  const Tensor rows = labels.contiguous();
  check_labels(logits, rows);
  return record_loss("cross_entropy", logits, rows, Tensor(), options.label_smoothing);
}

Tensor cross_entropy_soft(const Tensor& logits, const Tensor& targets) {
  check_logits("cross_entropy_soft", logits);
  DG_CHECK(targets.shape() == logits.shape() && targets.dtype() == logits.dtype(),
           "cross_entropy_soft: logits are {} {} but targets {} {}; one distribution per row is "
           "expected",
           logits.dtype(), logits.shape(), targets.dtype(), targets.shape());
  return record_loss("cross_entropy_soft", logits, Tensor(), targets, 0.0);
}

}  // namespace diagrad
