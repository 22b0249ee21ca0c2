#pragma once

#include <array>
#include <string_view>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"

namespace diagrad {

template <typename Signature>
class KernelTable;

/// The kernels of one operation, a slot per device, filled by the files that define them:
///
///     // ops/gelu_kernels.h:  inline KernelTable<void(const Tensor&, const Tensor&)>
///     //                          gelu_forward_kernel{"gelu"};
///     // ops/cpu/gelu.cpp:    const bool registered =
///     //                          gelu_forward_kernel.set(DeviceType::cpu, gelu_cpu);
///
/// Calling through an empty slot throws Error(device).
template <typename Result, typename... Args>
class KernelTable<Result(Args...)> {
 public:
  using Kernel = Result (*)(Args...);
  constexpr explicit KernelTable(std::string_view op) : op_(op) {}

  bool set(DeviceType device, Kernel kernel) {
    slots_[static_cast<size_t>(device)] = kernel;
    return true;
  }
  bool has(DeviceType device) const { return slots_[static_cast<size_t>(device)] != nullptr; }

  Kernel on(Device device) const {
    const Kernel kernel = slots_[static_cast<size_t>(device.type)];
    if (kernel == nullptr) [[unlikely]] {
      fail(ErrorKind::device, "{}: has no kernel for device {}", op_, device.str());
    }
    return kernel;
  }

 private:
  std::string_view op_;
  std::array<Kernel, kDeviceTypes> slots_{};
};

}  // namespace diagrad
