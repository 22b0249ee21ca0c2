#pragma once

#include <cstdint>
#include <optional>

namespace diagrad::nn {

/// Where random layers (dropout, drop path) draw from while it is alive, on this thread: masks are
/// a function of the seed, the step and how many masks were drawn in the scope before. So a step
/// that is run again, or resumed, draws the same masks. The innermost scope wins.
class RandomScope {
 public:
  RandomScope(uint64_t seed, uint64_t step);
  /// Where a scope stands: what it draws next follows from it.
  struct Place {
    uint64_t seed = 0;
    uint64_t step = 0;
    uint64_t draws = 0;
  };
  /// Goes on from there.
  explicit RandomScope(const Place& place);
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
  /// That of the innermost scope; nothing outside every scope.
  static std::optional<Place> place();

 private:
  RandomScope* before_;
  Place place_;
};

}  // namespace diagrad::nn
