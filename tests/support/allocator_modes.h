#pragma once

#include <cstdlib>
#include <string_view>

#include "diagrad/core/allocator.h"

namespace diagrad::testing {

/// At its end, puts caching and guard mode back as the program started with them.
struct AllocatorModes {
  AllocatorModes() = default;
  ~AllocatorModes() {
    const char* off = std::getenv("DIAGRAD_NO_CACHE");
    CpuAllocator::instance().set_caching(off == nullptr || std::string_view(off) != "1");
    CpuAllocator::instance().set_guard(false);
  }
  AllocatorModes(const AllocatorModes&) = delete;
  AllocatorModes& operator=(const AllocatorModes&) = delete;
};

}  // namespace diagrad::testing
