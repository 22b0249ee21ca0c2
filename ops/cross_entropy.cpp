#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/cross_entropy_kernels.h"
#include "diagrad/ops/index_range_kernels.h"
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
  const IndexOutOfRange bad = index_range_kernel.on(labels.device())(labels, classes);
  DG_CHECK(!bad.found(),
           "cross_entropy: label {} at index {} is outside [0, {}); give the model as many "
           "classes as the data has",
           bad.value, bad.position, classes);
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
      Tensor::empty({logits.size(0)}, DType::f64, logits.device()),
      Tensor::empty({}, logits.dtype(), logits.device()),
  };
  cross_entropy_kernel.on(logits.device())(pass);
  return autograd::record({op}, {logits, targets}, pass.loss,
                          [label_smoothing, largest = pass.largest, log_sums = pass.log_sums,
                           logits = SavedTensor(pass.logits), labels = SavedTensor(pass.labels),
                           targets = SavedTensor(pass.targets)](const BackwardContext& context) {
                            CrossEntropyBackward back{logits.get(context),
                                                      labels.get(context),
                                                      targets.get(context),
                                                      label_smoothing,
                                                      largest,
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
