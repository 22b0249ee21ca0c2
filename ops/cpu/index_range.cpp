#include "diagrad/ops/index_range_kernels.h"

namespace diagrad {
namespace {

IndexOutOfRange index_range_cpu(const Tensor& indices, int64_t size) {
  const int64_t* const data = indices.data<int64_t>();
  for (int64_t i = 0; i < indices.numel(); ++i) {
    if (data[i] < 0 || data[i] >= size) return {i, data[i]};
  }
  return {};
}

[[maybe_unused]] const bool registered = index_range_kernel.set(DeviceType::cpu, index_range_cpu);

}  // namespace
}  // namespace diagrad
