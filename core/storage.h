#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "diagrad/core/device.h"

namespace diagrad {

/// A block of memory and a count of the in-place changes made to it. Shared by all views.
class Storage {
 public:
  Storage(Device device, size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void* data_;
  size_t bytes_;
  Device device_;
  std::atomic<uint32_t> version_{0};
};

}  // namespace diagrad
