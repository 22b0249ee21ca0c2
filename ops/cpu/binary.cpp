#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/binary_kernels.h"
#include "diagrad/ops/binary_math.h"

namespace diagrad {
namespace {

void binary_cpu(BinaryFunction function, const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_floating(a.dtype(), "binary", [&](auto tag) {
    using T = typename decltype(tag)::type;
    binary::visit(function, [&](auto f) { elementwise<T, T, T>(y, f, a, b); });
  });
}

[[maybe_unused]] const bool registered = binary_kernel.set(DeviceType::cpu, binary_cpu);

}  // namespace
}  // namespace diagrad
