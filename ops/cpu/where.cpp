#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/where_kernels.h"

namespace diagrad {
namespace {

void where_cpu(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_floating(a.dtype(), "where", [&](auto tag) {
    using T = typename decltype(tag)::type;
    elementwise<T, uint8_t, T, T>(
        y, [](uint8_t chosen, T v, T w) { return chosen != 0 ? v : w; }, condition, a, b);
  });
}

template <typename T, typename Compare>
void compare_as(Compare compare, const Tensor& a, const Tensor& b, const Tensor& y) {
  elementwise<uint8_t, T, T>(
      y, [compare](T v, T w) { return static_cast<uint8_t>(compare(v, w)); }, a, b);
}

void compare_cpu(Comparison comparison, const Tensor& a, const Tensor& b, const Tensor& y) {
  const auto run = [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (comparison) {
      case Comparison::equal:
        return compare_as<T>([](T v, T w) { return v == w; }, a, b, y);
      case Comparison::greater:
        return compare_as<T>([](T v, T w) { return v > w; }, a, b, y);
      case Comparison::less:
        return compare_as<T>([](T v, T w) { return v < w; }, a, b, y);
    }
  };
  if (a.dtype() == DType::i64) return run(TypeTag<int64_t>{});
  dispatch_floating(a.dtype(), "compare", run);
}

[[maybe_unused]] const bool registered = where_kernel.set(DeviceType::cpu, where_cpu) &&
                                         compare_kernel.set(DeviceType::cpu, compare_cpu);

}  // namespace
}  // namespace diagrad
