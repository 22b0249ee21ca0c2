#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagrad {

/// A kind of device: the index of its slot in a KernelTable.
enum class DeviceType : unsigned char { cpu, cuda };
inline constexpr int kDeviceTypes = 2;

/// Where the data of a tensor lies.
struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;

  bool operator==(const Device&) const = default;
  /// `cpu` or `cuda:0`
  std::string str() const;
};

inline constexpr Device kCpu{};

/// `cpu`, `cuda` or `cuda:n`. Throws Error(usage) for another spelling, Error(device) for a
/// device this build or machine does not have.
Device parse_device(std::string_view text);

/// Whether this build has CUDA kernels.
bool built_with_cuda();

/// Those that this build can compute on here, the CPU first.
std::vector<Device> devices();

}  // namespace diagrad
