#pragma once

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace diagrad {

/// Sizes (or strides) of a tensor, outermost first; at most kMaxRank axes, stored in place.
/// Rank 0 is a scalar with one element.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes)
      : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  /// Throws when there are more than kMaxRank sizes.
  explicit Shape(std::span<const int64_t> sizes);

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  /// Counted from the end when negative, as everywhere below. Throws for an axis that is not there.
  int64_t& operator[](int axis) { return sizes_[position(axis)]; }
  int64_t operator[](int axis) const { return sizes_[position(axis)]; }
  int64_t back() const { return sizes_[position(rank_ - 1)]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }

  void push_back(int64_t size);
  /// The new size is at `axis` of the new shape: 0 is in front of all, -1 behind the last one.
  void insert(int axis, int64_t size);
  void erase(int axis);

  /// Product of all sizes; 1 for rank 0. Throws when it does not fit 63 bits.
  int64_t numel() const;
  /// Product of the sizes of axes [first, last), 1 for none. Throws for bounds outside [-rank,
  /// rank] or in the wrong order.
  int64_t numel(int first, int last) const;

  /// `[8,3,32,32]`
  std::string str() const;

  bool operator==(const Shape& other) const;

 private:
  size_t position(int axis) const {
    if (static_cast<unsigned>(axis) < static_cast<unsigned>(rank_)) [[likely]] {
      return static_cast<size_t>(axis);
    }
    return position_from_end(axis);
  }
  /// Of a negative axis; throws for one that is not there.
  size_t position_from_end(int axis) const;

  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

/// Row-major strides, in elements.
Shape contiguous_strides(const Shape& shape);

/// The shape both sides expand to under NumPy's rules (align right, size 1 stretches).
/// Throws `<op>: shapes [..] and [..] do not broadcast ...`.
Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b);

/// `axis` counted from the end when negative, checked against `rank`.
int normalize_axis(std::string_view op, int axis, int rank);

}  // namespace diagrad

template <>
struct fmt::formatter<diagrad::Shape> : fmt::formatter<fmt::string_view> {
  auto format(const diagrad::Shape& shape, format_context& context) const
      -> format_context::iterator;
};
