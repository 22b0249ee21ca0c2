#pragma once

#include <cstddef>
#include <cstdint>

namespace diagrad {

/// Counters of the CPU caching allocator, in bytes unless said.
struct AllocatorStats {
  int64_t current_bytes = 0;       ///< handed out now, rounded to size classes
  int64_t peak_bytes = 0;          ///< highest current_bytes since the last reset_peak()
  int64_t reserved_bytes = 0;      ///< taken from the system: handed out or cached
  int64_t allocations = 0;         ///< calls of allocate(), count
  int64_t system_allocations = 0;  ///< of these, how many went to the system, count
  int64_t guard_violations = 0;    ///< blocks freed with damaged guard bytes, count
};

/// Memory for CPU tensors. Blocks are rounded up to size classes (four per power of two) and
/// reused last-in-first-out, so that a buffer comes back while it is still in cache. Every block
/// is aligned to 64 bytes; blocks of 2 MiB and more ask for huge pages. Thread-safe.
class CpuAllocator {
 public:
  static CpuAllocator& instance();

  /// Never null, also for 0 bytes. Throws Error(internal) with the numbers when memory is
  /// exhausted.
  void* allocate(size_t bytes);
  void deallocate(void* data, size_t bytes) noexcept;

  AllocatorStats stats() const;
  void reset_peak();

  /// Off: each block goes to and from the system in the size asked for, so that address checkers
  /// see every error.
  /// The environment variable DIAGRAD_NO_CACHE=1 starts with it off.
  void set_caching(bool on);
  /// On: new blocks are filled with 0xFF bytes (NaN in every float type) and surrounded by guard
  /// bytes that are verified when the block is freed. Switching requires that caching is empty,
  /// so both setters release the cache.
  void set_guard(bool on);
  /// Returns cached blocks to the system.
  void release_cache();

  CpuAllocator(const CpuAllocator&) = delete;
  CpuAllocator& operator=(const CpuAllocator&) = delete;

 private:
  CpuAllocator();
  ~CpuAllocator() = default;
  struct State;
  State* state_;
};

/// While it lives, the blocks that the current thread takes from the CPU allocator may add up to
/// `bytes` at most, those that are freed again included; the next one throws Error(usage) before
/// any memory is taken. For what a file asks for that nobody has reason to trust.
class AllocationLimit {
 public:
  explicit AllocationLimit(int64_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

 private:
  int64_t before_;
};

}  // namespace diagrad
