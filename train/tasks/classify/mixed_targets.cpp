#include "diagrad/train/tasks/classify/mixed_targets.h"

#include "diagrad/core/error.h"

namespace diagrad::train {

Tensor mixed_targets(const Tensor& labels, double own_share, int64_t classes,
                     double label_smoothing) {
  const int64_t count = labels.numel();
  const Tensor targets =
      Tensor::full({count, classes}, label_smoothing / static_cast<double>(classes), DType::f64);
  const auto* label = labels.data<int64_t>();
  const auto add = [&](int64_t row, int64_t of, double share) {
    DG_CHECK(label[of] >= 0 && label[of] < classes,
             "mixed targets: label {}, but the model has outputs 0 to {}; set --classes", label[of],
             classes - 1);
    targets.data<double>()[row * classes + label[of]] += (1.0 - label_smoothing) * share;
  };
  for (int64_t b = 0; b < count; ++b) {
    add(b, b, own_share);
    add(b, count - 1 - b, 1.0 - own_share);
  }
  return targets;
}

}  // namespace diagrad::train
