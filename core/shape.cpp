#include "diagrad/core/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagrad/core/error.h"

namespace diagrad {

Shape::Shape(std::span<const int64_t> sizes) {
  DG_CHECK(sizes.size() <= kMaxRank, "shape has {} axes, at most {} are supported", sizes.size(),
           kMaxRank);
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  rank_ = static_cast<int>(sizes.size());
}

size_t Shape::position_from_end(int axis) const {
  DG_CHECK(rank_ > 0, "shape []: has no axes, so no axis {}", axis);
  DG_CHECK(axis >= -rank_ && axis < rank_, "shape {}: has no axis {}, only {} to {}", *this, axis,
           -rank_, rank_ - 1);
  return static_cast<size_t>(axis + rank_);
}

void Shape::push_back(int64_t size) {
  insert(rank_, size);
}

void Shape::insert(int axis, int64_t size) {
  DG_CHECK(rank_ < kMaxRank, "shape {} has {} axes already, at most {} are supported", *this, rank_,
           kMaxRank);
  DG_CHECK(axis >= -rank_ - 1 && axis <= rank_,
           "shape {}: no axis can be inserted at {}, only at {} to {}", *this, axis, -rank_ - 1,
           rank_);
  const int place = axis < 0 ? axis + rank_ + 1 : axis;
  std::copy_backward(sizes_.begin() + place, sizes_.begin() + rank_, sizes_.begin() + rank_ + 1);
  sizes_[static_cast<size_t>(place)] = size;
  ++rank_;
}

void Shape::erase(int axis) {
  const auto place = static_cast<int>(position(axis));
  std::copy(sizes_.begin() + place + 1, sizes_.begin() + rank_, sizes_.begin() + place);
  --rank_;
}

int64_t Shape::numel() const {
  return numel(0, rank_);
}

int64_t Shape::numel(int first, int last) const {
  const int begin = first < 0 ? first + rank_ : first;
  const int end = last < 0 ? last + rank_ : last;
  DG_CHECK(begin >= 0 && begin <= end && end <= rank_,
           "shape {}: axes [{}, {}) are no range of its {} axes", *this, first, last, rank_);
  int64_t product = 1;
  bool overflows = false;
  for (int axis = begin; axis < end; ++axis) {
    const int64_t size = sizes_[static_cast<size_t>(axis)];
    if (size == 0) return 0;
    overflows |= __builtin_mul_overflow(product, size, &product);
  }
  DG_CHECK(!overflows, "shape {} has more elements than 2^63 - 1; check its sizes", *this);
  return product;
}

std::string Shape::str() const {
  return fmt::format("[{}]", fmt::join(begin(), end(), ","));
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    // Only a shape without elements can overflow here; its strides are never used.
    (void)__builtin_mul_overflow(stride, std::max<int64_t>(shape[axis], 1), &stride);
  }
  return strides;
}

Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int i = 0; i < rank; ++i) {
    const int from_a = i - (rank - a.rank());
    const int from_b = i - (rank - b.rank());
    const int64_t size_a = from_a < 0 ? 1 : a[from_a];
    const int64_t size_b = from_b < 0 ? 1 : b[from_b];
    DG_CHECK(size_a == size_b || size_a == 1 || size_b == 1,
             "{}: shapes {} and {} do not broadcast: axis {} has sizes {} and {}; reshape one side "
             "so that the sizes agree or are 1",
             op, a, b, i - rank, size_a, size_b);
    result.push_back(size_a == 1 ? size_b : size_a);
  }
  return result;
}

int normalize_axis(std::string_view op, int axis, int rank) {
  DG_CHECK(axis >= -rank && axis < rank, "{}: axis {} is out of range for a tensor of rank {}", op,
           axis, rank);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace diagrad

auto fmt::formatter<diagrad::Shape>::format(const diagrad::Shape& shape,
                                            format_context& context) const
    -> format_context::iterator {
  return fmt::formatter<fmt::string_view>::format(shape.str(), context);
}
