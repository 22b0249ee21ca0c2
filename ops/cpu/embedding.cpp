#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/embedding_kernels.h"

namespace diagrad {
namespace {

/// Values that one chunk of a parallel loop should at least have.
constexpr int64_t kGrainValues = 8192;

template <typename T>
void look_up(const Tensor& weight, const Tensor& indices, const Tensor& y) {
  const int64_t width = weight.size(1);
  parallel_for(indices.numel(), kGrainValues / std::max<int64_t>(width, 1),
               [&](int64_t first, int64_t last) {
                 for (int64_t i = first; i < last; ++i) {
                   const T* const row = weight.data<T>() + indices.data<int64_t>()[i] * width;
                   std::copy(row, row + width, y.data<T>() + i * width);
                 }
               });
}

template <typename T>
void add(int64_t count, const T* __restrict from, T* __restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

/// Each chunk owns some rows of the table and reads all indices, so that every row is added up in
/// the order of the indices.
template <typename T>
void add_to_rows(const Tensor& dy, const Tensor& indices, const Tensor& dweight) {
  const int64_t width = dweight.size(1);
  const int64_t count = indices.numel();
  const int64_t* const index = indices.data<int64_t>();
  T* const table = dweight.data<T>();
  parallel_for(dweight.size(0), kGrainValues / std::max<int64_t>(width, 1),
               [&](int64_t first, int64_t last) {
                 std::fill(table + first * width, table + last * width, T(0));
                 for (int64_t i = 0; i < count; ++i) {
                   if (index[i] < first || index[i] >= last) continue;
                   add(width, dy.data<T>() + i * width, table + index[i] * width);
                 }
               });
}

/// The columns of a gather: all values of index and x that differ on the axis only.
class Columns {
 public:
  Columns(const Shape& x, const Shape& index, int axis)
      : x_(x),
        index_(index),
        axis_(axis),
        x_strides_(contiguous_strides(x)),
        index_strides_(contiguous_strides(index)) {}

  int64_t count() const { return length() == 0 ? 0 : index_.numel() / length(); }
  int64_t length() const { return index_[axis_]; }
  int64_t x_stride() const { return x_strides_[axis_]; }
  int64_t index_stride() const { return index_strides_[axis_]; }

  struct Offsets {
    int64_t x = 0;
    int64_t index = 0;
  };
  /// Where the column starts in x and in index.
  Offsets start(int64_t column) const {
    Offsets offsets;
    for (int i = index_.rank() - 1; i >= 0; --i) {
      if (i == axis_) continue;
      offsets.x += column % index_[i] * x_strides_[i];
      offsets.index += column % index_[i] * index_strides_[i];
      column /= index_[i];
    }
    return offsets;
  }

  /// Calls body(offset in x, offset in index) for each value; a column is served by one thread.
  template <typename Body>
  void for_each(const int64_t* index, Body body) const {
    parallel_for(count(), kGrainValues / std::max<int64_t>(length(), 1),
                 [&](int64_t first, int64_t last) {
                   for (int64_t column = first; column < last; ++column) {
                     const Offsets at = start(column);
                     for (int64_t i = 0; i < length(); ++i) {
                       const int64_t place = at.index + i * index_stride();
                       body(at.x + index[place] * x_stride(), place);
                     }
                   }
                 });
  }

 private:
  Shape x_, index_;
  int axis_;
  Shape x_strides_, index_strides_;
};

void embedding_cpu(const Tensor& weight, const Tensor& indices, const Tensor& y) {
  dispatch_floating(weight.dtype(), "embedding",
                    [&](auto tag) { look_up<typename decltype(tag)::type>(weight, indices, y); });
}

void embedding_backward_cpu(const Tensor& dy, const Tensor& indices, const Tensor& dweight) {
  dispatch_floating(dy.dtype(), "embedding backward", [&](auto tag) {
    add_to_rows<typename decltype(tag)::type>(dy, indices, dweight);
  });
}

void gather_cpu(const Tensor& x, int axis, const Tensor& index, const Tensor& y) {
  dispatch_floating(x.dtype(), "gather", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const from = x.data<T>();
    T* const to = y.data<T>();
    Columns(x.shape(), index.shape(), axis)
        .for_each(index.data<int64_t>(), [=](int64_t i, int64_t j) { to[j] = from[i]; });
  });
}

void gather_backward_cpu(const Tensor& dy, int axis, const Tensor& index, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "gather backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const from = dy.data<T>();
    T* const to = dx.data<T>();
    Columns(dx.shape(), index.shape(), axis)
        .for_each(index.data<int64_t>(), [=](int64_t i, int64_t j) { to[i] += from[j]; });
  });
}

[[maybe_unused]] const bool registered =
    embedding_kernel.set(DeviceType::cpu, embedding_cpu) &&
    embedding_backward_kernel.set(DeviceType::cpu, embedding_backward_cpu) &&
    gather_kernel.set(DeviceType::cpu, gather_cpu) &&
    gather_backward_kernel.set(DeviceType::cpu, gather_backward_cpu);

}  // namespace
}  // namespace diagrad
