#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// Random numbers as a function of (seed, stream, counter): no hidden state but the counter, so a
/// run resumes exactly by storing it, and parallel code gets the same numbers in any order.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream, uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  /// A double in [0, 1); consumes one counter step.
  double uniform();
  /// A double in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by Box and Muller; consumes one counter step.
  double normal();
  /// A whole number in [0, bound), unbiased to 2^-64 * bound. Throws for bound < 1.
  int64_t below(int64_t bound);
  uint64_t next_bits();

  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }
  uint64_t counter() const { return counter_; }
  void set_counter(uint64_t counter) { counter_ = counter; }

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t counter_;
};

/// A stream number for a purpose: a hash (FNV-1a) of its name mixed with two indices, e.g.
/// stream_id("augment", epoch, sample).
uint64_t stream_id(std::string_view purpose, uint64_t a = 0, uint64_t b = 0);

/// f32 or f64 tensors filled from consecutive counters of `random`.
Tensor uniform(const Shape& shape, double low, double high, RandomStream& random,
               DType dtype = DType::f32);
Tensor normal(const Shape& shape, double mean, double standard_deviation, RandomStream& random,
              DType dtype = DType::f32);

/// A random order of 0..size-1 (Fisher and Yates).
std::vector<int64_t> permutation(int64_t size, RandomStream& random);

}  // namespace diagrad
