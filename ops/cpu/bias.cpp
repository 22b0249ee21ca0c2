#include "diagrad/core/dtype.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/cpu/column_sums.h"

namespace diagrad {
namespace {

void bias_gradient_cpu(const Tensor& dy, const Tensor& db) {
  dispatch_floating(dy.dtype(), "bias backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t columns = db.numel();
    const int64_t rows = columns == 0 ? 0 : dy.numel() / columns;
    kernels::column_sums<T>(dy.data<T>(), rows, columns, db.data<T>());
  });
}

[[maybe_unused]] const bool registered =
    bias_gradient_kernel.set(DeviceType::cpu, bias_gradient_cpu);

}  // namespace
}  // namespace diagrad
