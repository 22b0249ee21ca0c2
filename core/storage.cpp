#include "diagrad/core/storage.h"

#include "diagrad/core/allocator.h"
#include "diagrad/core/error.h"

namespace diagrad {

Storage::Storage(Device device, size_t bytes) : data_(nullptr), bytes_(bytes), device_(device) {
  if (device.type != DeviceType::cpu) {
    fail(ErrorKind::device, "device {}: this build has no CUDA support", device.str());
  }
  data_ = CpuAllocator::instance().allocate(bytes);
}

Storage::~Storage() {
  CpuAllocator::instance().deallocate(data_, bytes_);
}

}  // namespace diagrad
