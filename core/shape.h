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
  int64_t& operator[](int axis) { return sizes_[static_cast<size_t>(axis)]; }
  int64_t operator[](int axis) const { return sizes_[static_cast<size_t>(axis)]; }
  int64_t back() const { return sizes_[static_cast<size_t>(rank_ - 1)]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }

  void push_back(int64_t size);
  /// In front of `axis`, or behind the last one. Both throw for an axis that is not there.
  void insert(int axis, int64_t size);
  void erase(int axis);

  /// Product of all sizes; 1 for rank 0. Throws when it does not fit 63 bits.
  int64_t numel() const;
  /// Product of the sizes of axes [first, last).
  int64_t numel(int first, int last) const;

  /// `[8,3,32,32]`
  std::string str() const;

  bool operator==(const Shape& other) const;

 private:
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
