#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "diagrad/core/random.h"
#include "diagrad/core/tensor.h"

namespace diagrad::parity {

/// What the floating-point inputs of a case hold: any values; multiples of a quarter, which hit
/// ties, bounds and zeros; any values with infinities, NaN and zeros among them.
enum class Values { plain, special, grid };

/// How an input lies in memory: in order; axes in reverse; every second element of a larger block;
/// one axis repeated with a stride of 0.
enum class Layout { contiguous, transposed, sliced, expanded };

/// An argument of an operation. `values` is contiguous, in f64 with values that f32 holds exactly,
/// or of integers; undefined stands for an argument that is left out.
struct Input {
  Tensor values;
  bool differentiable = true;
  Layout layout = Layout::contiguous;
  int axis = -1;  ///< the one that repeats
};

/// The input as a tensor of `dtype` (integers keep theirs) in its layout. Gaps between elements
/// hold NaN.
Tensor laid_out(const Input& input, DType dtype);

/// Both ends are multiples of 1/8 within [-64, 64].
struct Range {
  double low = -2.0;
  double high = 2.0;
};

/// The random choices of one case: a function of (seed, purpose, number), the same on every
/// machine, and of no other case.
class Draw {
 public:
  /// `values` of every third number are plain, special and on the grid.
  Draw(uint64_t seed, std::string_view purpose, int64_t number);

  Values values() const { return values_; }
  int64_t between(int64_t low, int64_t high);  ///< both included
  bool chance(int percent);
  template <typename T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[between(0, static_cast<int64_t>(choices.size()) - 1)];
  }
  /// A multiple of a quarter in [low, high].
  double quarter(double low, double high);
  /// Sizes from 1 to `largest`.
  Shape shape(int lowest_rank, int highest_rank, int64_t largest = 7);
  /// The same, and one in ten with an axis of size 0.
  Shape shape_or_empty(int lowest_rank, int highest_rank, int64_t largest = 7);
  /// A shape that broadcasts to `shape`: some axes of size 1, some leading ones left out.
  Shape broadcasting(const Shape& shape);

  Input floats(const Shape& shape, const Range& range = {});
  /// Never on the grid: what is added in front of a relu, where a sum of 0 would be a matter of
  /// rounding.
  Input off_grid(const Shape& shape, const Range& range = {});
  /// Without a gradient, in order, no special values: running statistics and the like.
  Input constants(const Shape& shape, const Range& range);
  Input labels(const Shape& shape, int64_t classes);  ///< i64 in [0, classes)
  Input bits(const Shape& shape);                     ///< u8, 0 or 1
  /// Floats in half of the cases, else left out.
  Input maybe(const Shape& shape, const Range& range = {});

 private:
  Tensor numbers(const Shape& shape, const Range& range, Values values);
  void choose_layout(Input& input);

  RandomStream random_;
  Values values_;
};

}  // namespace diagrad::parity
