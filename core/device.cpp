#include "diagrad/core/device.h"

#include <charconv>

#include "diagrad/core/error.h"

namespace diagrad {

std::string Device::str() const {
  return type == DeviceType::cpu ? "cpu" : fmt::format("cuda:{}", index);
}

Device parse_device(std::string_view text) {
  if (text == "cpu") return kCpu;
  constexpr std::string_view kCuda = "cuda";
  if (text.substr(0, kCuda.size()) == kCuda) {
    std::string_view rest = text.substr(kCuda.size());
    int index = 0;
    bool valid = rest.empty();
    if (rest.size() > 1 && rest.front() == ':') {
      const auto [end, status] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index);
      valid = status == std::errc{} && end == rest.data() + rest.size() && index >= 0;
    }
    if (valid) {
      if (!built_with_cuda()) {
        fail(ErrorKind::device,
             "device: '{}' needs CUDA, which this build does not have; use --device cpu", text);
      }
      return Device{DeviceType::cuda, index};
    }
  }
  fail(ErrorKind::usage, "device: '{}' is unknown, use cpu, cuda or cuda:N", text);
}

bool built_with_cuda() {
  return false;
}

std::vector<Device> devices() {
  return {kCpu};
}

}  // namespace diagrad
