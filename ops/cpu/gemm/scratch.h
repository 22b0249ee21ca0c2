#pragma once

#include <cstddef>
#include <cstdint>

#include "diagrad/core/allocator.h"

namespace diagrad::kernels {

/// Uninitialised memory for the time of a kernel. It comes from the caching allocator, so asking
/// again and again costs a lookup, not a page fault.
template <typename T>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(T)),
        data_(bytes_ == 0 ? nullptr : static_cast<T*>(CpuAllocator::instance().allocate(bytes_))) {}
  ~Scratch() {
    if (data_ != nullptr) CpuAllocator::instance().deallocate(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }

 private:
  size_t bytes_;
  T* data_;
};

}  // namespace diagrad::kernels
