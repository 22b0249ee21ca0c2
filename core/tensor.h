#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "diagrad/core/device.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/shape.h"
#include "diagrad/core/storage.h"

namespace diagrad {

class Tensor;

/// What differentiation knows of a tensor; autograd derives from it. Shared by every handle of
/// one tensor, absent while nothing asks for gradients.
struct GradMeta {
  GradMeta();
  virtual ~GradMeta();
  GradMeta(const GradMeta&) = delete;
  GradMeta& operator=(const GradMeta&) = delete;

  bool requires_grad = false;
  std::unique_ptr<Tensor> grad;
};

/// Why a tensor has no graph although gradients had to do with its making.
enum class LostGraph : uint8_t {
  none,
  gradient,  ///< a result of backward or grad, or computed from one: gradients carry no graph
  no_grad,   ///< computed from what requires gradients while recording was off
};

/// A strided view of a block of memory: a cheap handle, copies share the data. Elements of one
/// dtype, on one device, at `offset + sum(index[i] * strides[i])`; a stride of 0 repeats.
/// Functions of this class never record a graph; the differentiable forms are in ops.
class Tensor {
 public:
  Tensor() = default;  ///< undefined: stands for "no tensor"

  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = kCpu);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = kCpu);
  static Tensor ones(const Shape& shape, DType dtype = DType::f32, Device device = kCpu);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32,
                     Device device = kCpu);
  /// 0, 1, ..., size - 1.
  static Tensor arange(int64_t size, DType dtype = DType::i64);
  /// Copies `values` in row-major order. Throws when their count is not shape.numel().
  template <typename T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <typename T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }
  static Tensor empty_like(const Tensor& other);
  static Tensor zeros_like(const Tensor& other);
  static Tensor ones_like(const Tensor& other);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  const Shape& strides() const;  ///< in elements
  int rank() const { return shape().rank(); }
  /// Size of an axis, counted from the end when negative.
  int64_t size(int axis) const;
  int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  bool is_contiguous() const;

  /// First element. Throws when T is not the dtype.
  template <typename T>
  T* data() const;
  void* raw_data() const;
  /// The only element of a one-element tensor of any dtype, as a double.
  double item() const;

  /// A tensor of the same data with another shape and strides, `offset` elements further on.
  /// Throws when the view would leave the storage or a size is negative.
  Tensor strided(const Shape& shape, const Shape& strides, int64_t offset = 0) const;
  /// The same elements in row-major order; shares the data where it already is.
  Tensor contiguous() const;
  /// A contiguous copy.
  Tensor clone() const;
  /// Converted to another dtype; itself where it already is. To an integer, a float is cut towards
  /// 0, becomes the nearest value there is where it is out of range, and 0 where it is NaN; of a
  /// larger integer the low bits stay.
  Tensor to(DType dtype) const;
  /// A handle of the same data that knows nothing of a graph: a constant.
  Tensor detach() const;

  /// In place; they count a version, so that a saved tensor notices. Nothing is recorded. Both
  /// throw for a view that repeats elements: its chunks would be written at once.
  void fill_(double value) const;
  /// Copies from a tensor of the same shape, converting the dtype as to().
  void copy_(const Tensor& source) const;
  uint32_t version() const;
  void bump_version() const;
  bool shares_storage(const Tensor& other) const;
  /// Whether this handle is the only one of its tensor and of its storage, so that nobody can
  /// notice an in-place change.
  bool is_exclusive() const;

  /// Makes every handle of this tensor hold the data, shape and dtype of `source` from now on.
  /// Throws where it requires gradients: its graph would not fit.
  void set_data(const Tensor& source) const;

  bool requires_grad() const;
  /// Makes a leaf collect gradients. Throws for tensors that are not floating point.
  /// Defined in autograd/leaf.cpp.
  const Tensor& set_requires_grad(bool on) const;
  /// The accumulated gradient; undefined before the first backward.
  Tensor grad() const;
  /// Throws where the tensor requires no gradient, or shape or dtype differ.
  void set_grad(Tensor grad) const;

  const std::shared_ptr<GradMeta>& grad_meta() const;
  void set_grad_meta(std::shared_ptr<GradMeta> meta) const;

  /// Kept by views, copies and conversions, dropped by detach(). autograd sets it, so that a
  /// derivative that is not there is an error and not a silent zero.
  LostGraph lost_graph() const;
  void set_lost_graph(LostGraph reason) const;

  /// Whether both handles are of the same tensor (not merely equal or sharing data).
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
  const void* id() const { return impl_.get(); }

 private:
  struct Impl;
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const;
  std::shared_ptr<Impl> impl_;
};

/// Throws where an axis of `target` repeats one element: `<op>: axis 0 of the tensor of shape [4,3]
/// repeats one element 4 times; change a clone()`.
void check_no_repeats(std::string_view op, const Tensor& target);

/// Like PyTorch's: values to 4 places, long axes shortened to three at each end, then dtype and
/// shape: `tensor([[1.0000, 2.0000]], f32 [1,2])`.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);

}  // namespace diagrad
