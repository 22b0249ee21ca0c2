#pragma once

#include <cstdint>

namespace diagrad::nn {

/// Where random layers (dropout, drop path) draw from while it is alive, on this thread: masks are
/// a function of the seed, the step and how many masks were drawn in the scope before. So a step
/// that is run again, or resumed, draws the same masks. The innermost scope wins.
class RandomScope {
 public:
  RandomScope(uint64_t seed, uint64_t step);
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

  /// The key of one mask.
  struct Draw {
    uint64_t seed = 0;
    uint64_t stream = 0;
  };
  /// The next key of the innermost scope. Throws outside every scope.
  static Draw next();

 private:
  RandomScope* before_;
  uint64_t seed_;
  uint64_t step_;
  uint64_t draws_ = 0;
};

}  // namespace diagrad::nn
