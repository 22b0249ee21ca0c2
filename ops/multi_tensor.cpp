#include "diagrad/ops/multi_tensor.h"

#include <initializer_list>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor_kernels.h"

namespace diagrad {
namespace {

/// A tensor of an item by its name.
struct Named {
  const char* name;
  const Tensor& tensor;
};

void check_dense(const char* op, size_t item, const Named& named, Device device) {
  const Tensor& tensor = named.tensor;
  DG_CHECK(tensor.is_contiguous() &&
               (tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64) &&
               tensor.device() == device,
           "{}: {} of item {} is {} {} on {}, {}; expected a contiguous f32 or f64 tensor on {}",
           op, named.name, item, tensor.dtype(), tensor.shape(), tensor.device().str(),
           tensor.is_contiguous() ? "contiguous" : "not contiguous", device.str());
}

/// The first tensor of an item says what the others must be.
void check_item(const char* op, size_t item, std::initializer_list<Named> tensors, Device device) {
  const Named& first = *tensors.begin();
  for (const Named& named : tensors) {
    check_dense(op, item, named, device);
    DG_CHECK(named.tensor.shape() == first.tensor.shape() &&
                 named.tensor.dtype() == first.tensor.dtype(),
             "{}: item {} has {} {} {} but {} {} {}; both must agree", op, item, first.name,
             first.tensor.dtype(), first.tensor.shape(), named.name, named.tensor.dtype(),
             named.tensor.shape());
  }
}

}  // namespace

void multi_tensor_sgd(std::span<const SgdTensors> items, const SgdHyperparameters& values) {
  constexpr const char* kOp = "multi_tensor_sgd";
  if (items.empty()) return;
  const Device device = items.front().parameter.device();
  for (size_t i = 0; i < items.size(); ++i) {
    const SgdTensors& t = items[i];
    check_item(kOp, i, {{"parameter", t.parameter}, {"gradient", t.gradient}}, device);
    if (!t.buffer.defined()) continue;
    check_item(kOp, i, {{"parameter", t.parameter}, {"buffer", t.buffer}}, device);
  }
  for (const SgdTensors& t : items) {
    t.parameter.bump_version();
    if (t.buffer.defined()) t.buffer.bump_version();
  }
  multi_tensor_sgd_kernel.on(device)(items, values);
}

void multi_tensor_adamw(std::span<const AdamwTensors> items, const AdamwHyperparameters& values) {
  constexpr const char* kOp = "multi_tensor_adamw";
  if (items.empty()) return;
  const Device device = items.front().parameter.device();
  for (size_t i = 0; i < items.size(); ++i) {
    const AdamwTensors& t = items[i];
    check_item(kOp, i,
               {{"parameter", t.parameter},
                {"gradient", t.gradient},
                {"first moment", t.first_moment},
                {"second moment", t.second_moment}},
               device);
    DG_CHECK(t.step >= 1, "{}: item {} is at step {}; steps are counted from 1", kOp, i, t.step);
  }
  for (const AdamwTensors& t : items) {
    t.parameter.bump_version();
    t.first_moment.bump_version();
    t.second_moment.bump_version();
  }
  multi_tensor_adamw_kernel.on(device)(items, values);
}

void multi_tensor_lerp(std::span<const LerpTensors> items, double weight) {
  constexpr const char* kOp = "multi_tensor_lerp";
  if (items.empty()) return;
  const Device device = items.front().x.device();
  for (size_t i = 0; i < items.size(); ++i) {
    check_item(kOp, i, {{"x", items[i].x}, {"target", items[i].target}}, device);
  }
  for (const LerpTensors& t : items) t.x.bump_version();
  multi_tensor_lerp_kernel.on(device)(items, weight);
}

double sum_of_squares(std::span<const Tensor> tensors) {
  if (tensors.empty()) return 0.0;
  const Device device = tensors.front().device();
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_dense("sum_of_squares", i, {"the tensor", tensors[i]}, device);
  }
  return sum_of_squares_kernel.on(device)(tensors);
}

}  // namespace diagrad
