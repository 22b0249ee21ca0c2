#include "diagrad/core/allocator.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "diagrad/core/tensor.h"
#include "tests/support/allocator_modes.h"
#include "tests/support/op_case.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DG_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DG_TEST_SANITIZED 1
#endif
#endif

namespace diagrad {
namespace {

CpuAllocator& allocator() {
  return CpuAllocator::instance();
}

TEST_CASE("statistics follow what is handed out, and the peak since it was reset") {
  allocator().reset_peak();
  const AllocatorStats before = allocator().stats();
  CHECK(before.peak_bytes == before.current_bytes);
  void* a = allocator().allocate(1000);
  void* b = allocator().allocate(5000);
  AllocatorStats now = allocator().stats();
  CHECK(now.allocations == before.allocations + 2);
  const int64_t both = now.current_bytes - before.current_bytes;
  CHECK(both >= 6000);
  CHECK(both <= 6000 * 5 / 4 + 128);  // at most a quarter is lost to size classes
  allocator().deallocate(b, 5000);
  now = allocator().stats();
  CHECK(now.current_bytes - before.current_bytes == both - 5120);
  CHECK(now.peak_bytes - before.current_bytes == both);
  allocator().reset_peak();
  CHECK(allocator().stats().peak_bytes == now.current_bytes);
  allocator().deallocate(a, 1000);
  CHECK(allocator().stats().current_bytes == before.current_bytes);
}

TEST_CASE("a tensor's memory is counted and given back") {
  const int64_t before = allocator().stats().current_bytes;
  {
    const Tensor x = Tensor::zeros({1000, 1000});
    CHECK(allocator().stats().current_bytes >= before + 4'000'000);
  }
  CHECK(allocator().stats().current_bytes == before);
}

TEST_CASE("blocks are aligned to 64 bytes, of any size, cached, guarded or not") {
  const testing::AllocatorModes restore;
  for (const bool guard : {false, true}) {
    allocator().set_guard(guard);
    for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{65}, size_t{1000},
                               size_t{100'001}, (size_t{2} << 20) + 1, size_t{5} << 20}) {
      void* data = allocator().allocate(bytes);
      REQUIRE(data != nullptr);
      CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0);
      std::memset(data, 1, bytes);
      allocator().deallocate(data, bytes);
    }
  }
}

TEST_CASE("the last block given back is the first handed out, also for a like size") {
  const testing::AllocatorModes restore;
  allocator().set_caching(true);
  void* a = allocator().allocate(10'000);
  void* b = allocator().allocate(10'000);
  allocator().deallocate(a, 10'000);
  allocator().deallocate(b, 10'000);
  const int64_t system = allocator().stats().system_allocations;
  CHECK(allocator().allocate(10'001) == b);  // the same size class
  CHECK(allocator().allocate(9'999) == a);
  CHECK(allocator().stats().system_allocations == system);
  allocator().deallocate(a, 9'999);
  allocator().deallocate(b, 10'001);
  const int64_t reserved = allocator().stats().reserved_bytes;
  allocator().release_cache();
  CHECK(allocator().stats().reserved_bytes <= reserved - 20'000);
}

TEST_CASE("without caching every block comes from and goes to the system") {
  const testing::AllocatorModes restore;
  allocator().set_caching(false);
  const AllocatorStats before = allocator().stats();
  for (int i = 0; i < 5; ++i) allocator().deallocate(allocator().allocate(4096), 4096);
  const AllocatorStats after = allocator().stats();
  CHECK(after.system_allocations == before.system_allocations + 5);
  CHECK(after.reserved_bytes == before.reserved_bytes);
}

TEST_CASE(
    "without caching a block is of the size asked for, so that address checkers see its end") {
  const testing::AllocatorModes restore;
  allocator().set_caching(false);
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{1100}, (size_t{2} << 20) + 1}) {
    const int64_t before = allocator().stats().reserved_bytes;
    void* data = allocator().allocate(bytes);
    CHECK(allocator().stats().reserved_bytes - before == static_cast<int64_t>(bytes));
    CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0);
    allocator().deallocate(data, bytes);
    CHECK(allocator().stats().reserved_bytes == before);
  }
}

TEST_CASE("caching may change while blocks are out: none of an exact size is handed out again") {
  const testing::AllocatorModes restore;
  allocator().set_caching(false);
  const AllocatorStats before = allocator().stats();
  void* exact = allocator().allocate(1100);
  allocator().set_caching(true);
  void* rounded = allocator().allocate(1100);
  allocator().deallocate(exact, 1100);
  const int64_t system = allocator().stats().system_allocations;
  void* next = allocator().allocate(1101);  // of the same size class
  CHECK(allocator().stats().system_allocations == system + 1);
  allocator().deallocate(next, 1101);
  allocator().set_caching(false);
  allocator().deallocate(rounded, 1100);
  CHECK(allocator().stats().reserved_bytes == before.reserved_bytes);
  CHECK(allocator().stats().current_bytes == before.current_bytes);
}

TEST_CASE("guard mode starts blocks as NaN and counts writes outside of them") {
  const testing::AllocatorModes restore;
  allocator().set_guard(true);
  const int64_t before = allocator().stats().guard_violations;
  {
    const Tensor x = Tensor::empty({5});
    for (int i = 0; i < 5; ++i) CHECK(std::isnan(x.data<float>()[i]));
    x.fill_(1.0);
  }
  CHECK(allocator().stats().guard_violations == before);
  {
    const Tensor x = Tensor::zeros({5}, DType::u8);
    x.data<uint8_t>()[5] = 0;  // one byte behind an odd size
  }
  CHECK(allocator().stats().guard_violations == before + 1);
  {
    const Tensor x = Tensor::zeros({5}, DType::f64);
    x.data<double>()[-1] = 0.0;
  }
  CHECK(allocator().stats().guard_violations == before + 2);
}

TEST_CASE("guard mode may change while blocks are out") {
  const testing::AllocatorModes restore;
  const int64_t before = allocator().stats().guard_violations;
  Tensor plain = Tensor::zeros({100});
  allocator().set_guard(true);
  Tensor guarded = Tensor::zeros({100});
  plain = Tensor();
  allocator().set_guard(false);
  guarded = Tensor();
  CHECK(allocator().stats().guard_violations == before);
}

TEST_CASE("within a limit a thread may take so much and no more") {
  const int64_t before = allocator().stats().current_bytes;
  {
    const AllocationLimit limit(4096);
    Tensor::zeros({512});
    Tensor::zeros({256});  // freed blocks count, too: 2048 + 1024 bytes so far
    CHECK(testing::error_message([] { Tensor::zeros({1 << 20}); }) ==
          "4194304 bytes of memory asked for where 1024 more are allowed");
    {
      const AllocationLimit wider(1 << 30);  // an inner limit only narrows
      CHECK_FALSE(testing::error_message([] { Tensor::zeros({1 << 20}); }).empty());
    }
    CHECK(testing::error_message([] { Tensor::zeros({256}); }).empty());
  }
  CHECK(testing::error_message([] { Tensor::zeros({1 << 20}); }).empty());
  CHECK(allocator().stats().current_bytes == before);
}

#ifndef DG_TEST_SANITIZED
// Sanitizers end the program at such a size instead of refusing it.
TEST_CASE("memory that does not exist is an error with the numbers, and leaves no trace") {
  const AllocatorStats before = allocator().stats();
  const std::string text = testing::error_message([] { allocator().allocate(size_t{1} << 60); });
  CHECK(text.find("out of memory: 1152921504606846976 bytes asked for, ") == 0);
  CHECK(text.find("try a smaller --batch") != std::string::npos);
  CHECK(allocator().stats().current_bytes == before.current_bytes);
}
#endif

}  // namespace
}  // namespace diagrad
