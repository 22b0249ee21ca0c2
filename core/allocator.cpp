#include "diagrad/core/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kGuardBytes = 64;
constexpr unsigned char kGuardByte = 0xA5;
constexpr unsigned char kPoisonByte = 0xFF;

/// Four classes per power of two: at most a quarter of a block is wasted.
size_t size_class(size_t bytes) {
  const size_t wanted = std::max(bytes, kAlignment);
  const size_t step = std::max(std::bit_floor(wanted) / 4, kAlignment);
  return (wanted + step - 1) / step * step;
}

void* system_allocate(size_t bytes) {
  const bool large = bytes >= kHugePage;
  void* data = nullptr;
  // Unlike aligned_alloc it takes sizes that are no multiple of the alignment.
  if (posix_memalign(&data, large ? kHugePage : kAlignment, bytes) != 0) return nullptr;
  // A refusal only costs speed, so the result does not matter.
  if (large) (void)madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return data;
}

constexpr int64_t kUnlimited = INT64_MAX;
thread_local int64_t allowance = kUnlimited;

/// A handed-out block of no size class: guard mode and caching may be switched while it is out.
struct Exact {
  size_t bytes;
  bool guarded;
};

bool is_intact(const unsigned char* guard) {
  return std::all_of(guard, guard + kGuardBytes, [](auto byte) { return byte == kGuardByte; });
}

/// A block of `bytes` between guards; null when memory is exhausted.
void* guarded_allocate(size_t bytes) {
  // The guard follows the requested size, not the rounded one: overruns by one are seen.
  auto* base = static_cast<unsigned char*>(system_allocate(size_class(bytes) + 2 * kGuardBytes));
  if (base == nullptr) return nullptr;
  std::memset(base, kGuardByte, kGuardBytes);
  std::memset(base + kGuardBytes, kPoisonByte, bytes);
  std::memset(base + kGuardBytes + bytes, kGuardByte, kGuardBytes);
  return base + kGuardBytes;
}

}  // namespace

struct CpuAllocator::State {
  mutable std::mutex mutex;
  AllocatorStats stats;
  bool caching = true;
  bool guard = false;
  std::unordered_map<size_t, std::vector<void*>> free_lists;
  std::unordered_map<void*, Exact> exact;

  /// A block for `bytes` and nothing beside them, so that every overrun can be seen.
  void* allocate_exact(size_t bytes) {
    void* data = guard ? guarded_allocate(bytes) : system_allocate(std::max<size_t>(bytes, 1));
    ++stats.system_allocations;
    if (data == nullptr) return nullptr;
    exact.emplace(data, Exact{bytes, guard});
    stats.reserved_bytes += static_cast<int64_t>(bytes);
    return data;
  }

  /// Whether `data` is such a block, which then is gone.
  bool free_exact(void* data) {
    const auto found = exact.find(data);
    if (found == exact.end()) return false;
    const Exact block = found->second;
    exact.erase(found);
    stats.reserved_bytes -= static_cast<int64_t>(block.bytes);
    auto* base = static_cast<unsigned char*>(data);
    if (block.guarded) {
      base -= kGuardBytes;
      const bool intact = is_intact(base) && is_intact(base + kGuardBytes + block.bytes);
      if (!intact) ++stats.guard_violations;
    }
    std::free(base);
    return true;
  }
};

CpuAllocator& CpuAllocator::instance() {
  // Never destroyed: tensors with static lifetime may be freed after any destructor of ours.
  static auto* allocator = new CpuAllocator();
  return *allocator;
}

CpuAllocator::CpuAllocator() : state_(new State()) {
  const char* off = std::getenv("DIAGRAD_NO_CACHE");
  state_->caching = off == nullptr || std::strcmp(off, "1") != 0;
}

void* CpuAllocator::allocate(size_t bytes) {
  const size_t block_bytes = size_class(bytes);
  if (allowance != kUnlimited) {
    DG_CHECK(block_bytes <= static_cast<size_t>(allowance),
             "{} bytes of memory asked for where {} more are allowed", bytes, allowance);
    allowance -= static_cast<int64_t>(block_bytes);
  }
  std::unique_lock lock(state_->mutex);
  AllocatorStats& stats = state_->stats;
  void* data = nullptr;
  if (state_->guard || !state_->caching) {
    data = state_->allocate_exact(bytes);
  } else if (auto& list = state_->free_lists[block_bytes]; !list.empty()) {
    data = list.back();
    list.pop_back();
  } else {
    data = system_allocate(block_bytes);
    if (data == nullptr) {
      lock.unlock();
      release_cache();
      lock.lock();
      data = system_allocate(block_bytes);
    }
    ++stats.system_allocations;
    if (data != nullptr) stats.reserved_bytes += static_cast<int64_t>(block_bytes);
  }
  if (data == nullptr) {
    fail(ErrorKind::internal,
         "out of memory: {} bytes asked for, {} bytes in use; try a smaller --batch", bytes,
         stats.current_bytes);
  }
  ++stats.allocations;
  stats.current_bytes += static_cast<int64_t>(block_bytes);
  stats.peak_bytes = std::max(stats.peak_bytes, stats.current_bytes);
  return data;
}

void CpuAllocator::deallocate(void* data, size_t bytes) noexcept {
  const size_t block_bytes = size_class(bytes);
  const std::lock_guard lock(state_->mutex);
  AllocatorStats& stats = state_->stats;
  stats.current_bytes -= static_cast<int64_t>(block_bytes);
  if (state_->free_exact(data)) return;
  if (state_->caching) {
    try {
      state_->free_lists[block_bytes].push_back(data);
      return;
    } catch (const std::bad_alloc&) {
      // No memory to remember the block by: it goes back to the system.
    }
  }
  stats.reserved_bytes -= static_cast<int64_t>(block_bytes);
  std::free(data);
}

AllocatorStats CpuAllocator::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

void CpuAllocator::reset_peak() {
  const std::lock_guard lock(state_->mutex);
  state_->stats.peak_bytes = state_->stats.current_bytes;
}

void CpuAllocator::set_caching(bool on) {
  release_cache();
  const std::lock_guard lock(state_->mutex);
  state_->caching = on;
}

void CpuAllocator::set_guard(bool on) {
  release_cache();
  const std::lock_guard lock(state_->mutex);
  state_->guard = on;
}

void CpuAllocator::release_cache() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [block_bytes, list] : state_->free_lists) {
    for (void* data : list) std::free(data);
    state_->stats.reserved_bytes -= static_cast<int64_t>(block_bytes * list.size());
    list.clear();
  }
}

AllocationLimit::AllocationLimit(int64_t bytes) : before_(allowance) {
  DG_ASSERT(bytes >= 0, "a limit of {} bytes", bytes);
  allowance = std::min(bytes, before_);
}

AllocationLimit::~AllocationLimit() {
  allowance = before_;
}

}  // namespace diagrad
