#include "diagrad/core/parallel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

/// Sets the thread count and puts it back.
class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// Runs `test` on each backend and puts the chosen one back.
void on_both_backends(const std::function<void()>& test) {
  const ThreadBackend before = thread_backend();
  for (const ThreadBackend backend : {ThreadBackend::pool, ThreadBackend::openmp}) {
    CAPTURE(static_cast<int>(backend));
    set_thread_backend(backend);
    test();
  }
  set_thread_backend(before);
}

struct Piece {
  int64_t first, last;
  bool operator==(const Piece&) const = default;
};

std::vector<Piece> pieces_of(int64_t size, int64_t grain, int threads) {
  const Threads scope(threads);
  const ChunkPlan plan(size, grain);
  std::vector<Piece> pieces(static_cast<size_t>(plan.count));
  parallel_for_chunks(plan, size, [&](int64_t chunk, int64_t first, int64_t last) {
    pieces[static_cast<size_t>(chunk)] = {first, last};
  });
  return pieces;
}

TEST_CASE("chunk borders depend on size and grain, never on the number of threads") {
  on_both_backends([] {
    for (const int64_t size : {1, 2, 63, 64, 65, 1000, 100001}) {
      for (const int64_t grain : {1, 3, 64, 5000}) {
        CAPTURE(size);
        CAPTURE(grain);
        const auto pieces = pieces_of(size, grain, 1);
        CHECK(pieces == pieces_of(size, grain, 2));
        CHECK(pieces == pieces_of(size, grain, 5));
        REQUIRE_FALSE(pieces.empty());
        CHECK(pieces.size() <= 64);
        CHECK(pieces.front().first == 0);
        CHECK(pieces.back().last == size);
        const int64_t length = pieces.front().last;
        CHECK(length >= std::min(size, grain));
        for (size_t i = 1; i < pieces.size(); ++i) {
          CHECK(pieces[i].first == pieces[i - 1].last);
          CHECK(pieces[i].last > pieces[i].first);
          if (i + 1 < pieces.size()) CHECK(pieces[i].last - pieces[i].first == length);
        }
      }
    }
  });
}

TEST_CASE("parallel_for calls its body for every index once") {
  on_both_backends([] {
    for (const int threads : {1, 2, 4}) {
      const Threads scope(threads);
      std::vector<std::atomic<int>> calls(10007);
      parallel_for(10007, 10, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) ++calls[static_cast<size_t>(i)];
      });
      bool once = true;
      for (const auto& count : calls) once = once && count == 1;
      CHECK(once);
    }
  });
}

TEST_CASE("an empty range calls nothing") {
  int calls = 0;
  for (const int64_t size : {0, -5}) {
    parallel_for(size, 1, [&](int64_t, int64_t) { ++calls; });
  }
  CHECK(calls == 0);
}

TEST_CASE("a loop inside a loop runs on the thread it is called from") {
  on_both_backends([] {
    const Threads scope(2);
    std::atomic<int64_t> sum{0};
    std::atomic<bool> same_thread{true};
    parallel_for(8, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const auto caller = std::this_thread::get_id();
        parallel_for(100, 1, [&](int64_t from, int64_t to) {
          if (std::this_thread::get_id() != caller) same_thread = false;
          for (int64_t k = from; k < to; ++k) sum += i * k;
        });
      }
    });
    CHECK(same_thread);
    CHECK(sum == 28 * 4950);
  });
}

TEST_CASE("loops of a serial thread stay on it") {
  on_both_backends([] {
    const Threads scope(2);
    std::atomic<bool> same_thread{true};
    const auto check = [&] {
      const auto caller = std::this_thread::get_id();
      parallel_for(64, 1, [&](int64_t, int64_t) {
        if (std::this_thread::get_id() != caller) same_thread = false;
      });
    };
    std::thread([&] {
      const SerialThread serial;
      check();
      { const SerialThread inner; }
      check();  // the inner scope must not switch it off
    }).join();
    CHECK(same_thread);
  });
}

TEST_CASE("an exception in a body reaches the caller, that of the lowest chunk first") {
  on_both_backends([] {
    for (const int threads : {1, 2, 4}) {
      const Threads scope(threads);
      for (int attempt = 0; attempt < 20; ++attempt) {
        std::string text;
        try {
          parallel_for(64, 1, [](int64_t first, int64_t) {
            if (first >= 3) throw std::runtime_error("chunk " + std::to_string(first));
          });
        } catch (const std::runtime_error& error) {
          text = error.what();
        }
        CHECK(text == "chunk 3");
      }
      int64_t after = 0;  // the pool still works
      parallel_for(10, 10, [&](int64_t first, int64_t last) { after += last - first; });
      CHECK(after == 10);
    }
  });
}

TEST_CASE("loops of all sizes follow each other closely, with changing numbers of threads") {
  on_both_backends([] {
    int64_t wrong = 0;
    for (int64_t loop = 0; loop < 400; ++loop) {
      const Threads scope(1 + static_cast<int>(loop % 4));
      std::atomic<int64_t> sum{0};
      const int64_t size = 1 + loop % 97;
      parallel_for(size, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) sum += i + 1;
      });
      if (sum != size * (size + 1) / 2) ++wrong;
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("helpers that have gone to sleep come back") {
  const Threads scope(2);
  for (int loop = 0; loop < 20; ++loop) {
    std::atomic<int> helped{0};
    const auto caller = std::this_thread::get_id();
    // The caller's chunk waits for the helper's, which therefore has to come.
    parallel_for(2, 1, [&](int64_t, int64_t) {
      if (std::this_thread::get_id() != caller) ++helped;
      while (helped == 0) std::this_thread::yield();
    });
    CHECK(helped >= 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("several threads may run loops at the same time") {
  on_both_backends([] {
    const Threads scope(3);
    std::atomic<int64_t> sum{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&] {
        for (int loop = 0; loop < 200; ++loop) {
          parallel_for(64, 1, [&](int64_t first, int64_t last) { sum += last - first; });
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(sum == 3 * 200 * 64);
  });
}

TEST_CASE("thread counts outside [1, 1024] are refused") {
  const int before = num_threads();
  CHECK(error_message([] { set_num_threads(0); }) == "threads: 0 is out of range, use 1 to 1024");
  CHECK_FALSE(error_message([] { set_num_threads(1025); }).empty());
  CHECK(num_threads() == before);
}

}  // namespace
}  // namespace diagrad
