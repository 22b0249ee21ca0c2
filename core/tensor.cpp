#include "diagrad/core/tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "diagrad/core/elementwise.h"
#include "diagrad/core/error.h"

namespace diagrad {

GradMeta::GradMeta() = default;
GradMeta::~GradMeta() = default;

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  Shape strides;
  int64_t offset = 0;
  DType dtype = DType::f32;
  LostGraph lost_graph = LostGraph::none;
  std::shared_ptr<GradMeta> meta;
};

const Tensor::Impl& Tensor::impl() const {
  DG_CHECK(impl_ != nullptr,
           "tensor: undefined tensor used; it was default-constructed or is a "
           "gradient that does not exist");
  return *impl_;
}

namespace {

void check_sizes(const char* op, const Shape& shape) {
  for (const int64_t size : shape) {
    DG_CHECK(size >= 0, "{}: shape {} has a negative size", op, shape);
  }
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  check_sizes("tensor", shape);
  DG_CHECK(shape.numel() <= std::numeric_limits<int64_t>::max() / size_of(dtype),
           "tensor: shape {} of {} needs more than 2^63 - 1 bytes; check its sizes", shape, dtype);
  auto impl = std::make_shared<Impl>();
  const auto bytes = static_cast<size_t>(shape.numel() * size_of(dtype));
  impl->storage = std::make_shared<Storage>(device, bytes);
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  std::memset(result.raw_data(), 0, result.impl().storage->bytes());
  return result;
}

Tensor Tensor::ones(const Shape& shape, DType dtype, Device device) {
  return full(shape, 1.0, dtype, device);
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  result.fill_(value);
  return result;
}

Tensor Tensor::arange(int64_t size, DType dtype) {
  Tensor result = empty({size}, dtype);
  dispatch_all(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* data = result.data<T>();
    for (int64_t i = 0; i < size; ++i) {
      if constexpr (std::is_same_v<T, bfloat16>) {
        data[i] = bfloat16(static_cast<float>(i));
      } else {
        data[i] = static_cast<T>(i);
      }
    }
  });
  return result;
}

template <typename T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  DG_CHECK(static_cast<int64_t>(values.size()) == shape.numel(),
           "tensor: {} values given for shape {}, which holds {}", values.size(), shape,
           shape.numel());
  Tensor result = empty(shape, kDTypeOf<T>);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const bfloat16>, const Shape&);
template Tensor Tensor::from(std::span<const int64_t>, const Shape&);
template Tensor Tensor::from(std::span<const int32_t>, const Shape&);
template Tensor Tensor::from(std::span<const uint8_t>, const Shape&);

Tensor Tensor::empty_like(const Tensor& other) {
  return empty(other.shape(), other.dtype(), other.device());
}
Tensor Tensor::zeros_like(const Tensor& other) {
  return zeros(other.shape(), other.dtype(), other.device());
}
Tensor Tensor::ones_like(const Tensor& other) {
  return ones(other.shape(), other.dtype(), other.device());
}

const Shape& Tensor::shape() const {
  return impl().shape;
}
const Shape& Tensor::strides() const {
  return impl().strides;
}
DType Tensor::dtype() const {
  return impl().dtype;
}
Device Tensor::device() const {
  return impl().storage->device();
}

int64_t Tensor::size(int axis) const {
  return shape()[normalize_axis("size", axis, shape().rank())];
}

bool Tensor::is_contiguous() const {
  if (numel() == 0) return true;  // also where the sizes beside the 0 have no product
  int64_t expected = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape()[axis] != 1 && strides()[axis] != expected) return false;
    expected *= shape()[axis];
  }
  return true;
}

void* Tensor::raw_data() const {
  return static_cast<unsigned char*>(impl().storage->data()) + impl().offset * size_of(dtype());
}

template <typename T>
T* Tensor::data() const {
  DG_CHECK(dtype() == kDTypeOf<T>, "tensor: read as {} but its dtype is {}, shape {}",
           name(kDTypeOf<T>), dtype(), shape());
  return static_cast<T*>(raw_data());
}

template float* Tensor::data() const;
template double* Tensor::data() const;
template bfloat16* Tensor::data() const;
template int64_t* Tensor::data() const;
template int32_t* Tensor::data() const;
template uint8_t* Tensor::data() const;

double Tensor::item() const {
  DG_CHECK(numel() == 1, "item: needs a tensor with one element, got shape {}", shape());
  return *to(DType::f64).data<double>();
}

namespace {

/// The first and last element that a view reaches.
struct Extent {
  int64_t lowest;
  int64_t highest;
};

/// Empty where one of them is no int64_t.
std::optional<Extent> extent_of(const Shape& shape, const Shape& strides, int64_t offset) {
  Extent extent{offset, offset};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(shape[axis] - 1, strides[axis], &reach)) return std::nullopt;
    int64_t& end = reach < 0 ? extent.lowest : extent.highest;
    if (__builtin_add_overflow(end, reach, &end)) return std::nullopt;
  }
  return extent;
}

}  // namespace

Tensor Tensor::strided(const Shape& shape, const Shape& strides, int64_t offset) const {
  DG_ASSERT(shape.rank() == strides.rank(), "strided: shape {} and strides {}", shape, strides);
  check_sizes("strided", shape);
  auto view = std::make_shared<Impl>();
  view->storage = impl().storage;
  view->shape = shape;
  view->strides = strides;
  view->dtype = dtype();
  view->lost_graph = lost_graph();
  if (shape.numel() > 0) {
    const bool is_number = !__builtin_add_overflow(impl().offset, offset, &view->offset);
    const auto extent = is_number ? extent_of(shape, strides, view->offset) : std::nullopt;
    const auto capacity = static_cast<int64_t>(view->storage->bytes()) / size_of(dtype());
    DG_CHECK(extent.has_value(),
             "strided: shape {} with strides {} at offset {} leaves its storage of {} elements",
             shape, strides, offset, capacity);
    DG_CHECK(extent->lowest >= 0 && extent->highest < capacity,
             "strided: shape {} with strides {} at offset {} reaches elements {}..{} of a storage "
             "of {}",
             shape, strides, view->offset, extent->lowest, extent->highest, capacity);
  }
  return Tensor(std::move(view));
}

Tensor Tensor::contiguous() const {
  return is_contiguous() ? *this : clone();
}

Tensor Tensor::clone() const {
  Tensor result = empty_like(*this);
  result.copy_(*this);
  result.set_lost_graph(lost_graph());
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor result = empty(shape(), dtype, device());
  result.copy_(*this);
  if (is_floating(dtype)) result.set_lost_graph(lost_graph());
  return result;
}

Tensor Tensor::detach() const {
  Tensor constant = strided(shape(), strides());
  constant.set_lost_graph(LostGraph::none);
  return constant;
}

namespace {

/// The integer that `value` is cut to; the nearest there is where it has none, and 0 for NaN.
template <typename To, typename From>
To to_integer(From value) {
  using Limits = std::numeric_limits<To>;
  constexpr auto kLeast = static_cast<From>(Limits::min());
  constexpr auto kBeyond = static_cast<From>(uint64_t{1} << Limits::digits);
  if (value >= kBeyond) return Limits::max();
  if (value >= kLeast) return static_cast<To>(value);
  return value < kLeast ? Limits::min() : To(0);
}

template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace

void check_no_repeats(std::string_view op, const Tensor& target) {
  if (target.numel() == 0) return;
  for (int axis = 0; axis < target.rank(); ++axis) {
    DG_CHECK(target.strides()[axis] != 0 || target.shape()[axis] <= 1,
             "{}: axis {} of the tensor of shape {} repeats one element {} times; change a clone()",
             op, axis, target.shape(), target.shape()[axis]);
  }
}

void Tensor::fill_(double value) const {
  check_no_repeats("fill_", *this);
  bump_version();
  dispatch_all(dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T filler = convert<T>(value);
    elementwise<T>(*this, [filler] { return filler; });
  });
}

void Tensor::copy_(const Tensor& source) const {
  DG_CHECK(shape() == source.shape(), "copy_: destination has shape {}, source {}", shape(),
           source.shape());
  check_no_repeats("copy_", *this);
  bump_version();
  if (dtype() == source.dtype() && is_contiguous() && source.is_contiguous()) {
    std::memmove(raw_data(), source.raw_data(), static_cast<size_t>(numel() * size_of(dtype())));
    return;
  }
  dispatch_all(dtype(), [&](auto to) {
    using To = typename decltype(to)::type;
    dispatch_all(source.dtype(), [&](auto from) {
      using From = typename decltype(from)::type;
      elementwise<To, From>(
          *this, [](From value) { return convert<To>(value); }, source);
    });
  });
}

uint32_t Tensor::version() const {
  return impl().storage->version();
}
void Tensor::bump_version() const {
  impl().storage->bump_version();
}
bool Tensor::shares_storage(const Tensor& other) const {
  return impl().storage == other.impl().storage;
}

bool Tensor::is_exclusive() const {
  return impl_.use_count() == 1 && impl_->storage.use_count() == 1;
}

void Tensor::set_data(const Tensor& source) const {
  (void)impl();
  DG_CHECK(!requires_grad(), "set_data: the tensor of shape {} requires gradients", shape());
  const Impl& from = source.impl();
  impl_->storage = from.storage;
  impl_->shape = from.shape;
  impl_->strides = from.strides;
  impl_->offset = from.offset;
  impl_->dtype = from.dtype;
}

bool Tensor::requires_grad() const {
  return impl_ != nullptr && impl_->meta != nullptr && impl_->meta->requires_grad;
}

Tensor Tensor::grad() const {
  const auto& meta = impl().meta;
  return meta != nullptr && meta->grad != nullptr ? *meta->grad : Tensor();
}

void Tensor::set_grad(Tensor grad) const {
  DG_CHECK(impl().meta != nullptr, "set_grad: the tensor of shape {} does not require gradients",
           shape());
  DG_CHECK(!grad.defined() || (grad.shape() == shape() && grad.dtype() == dtype()),
           "set_grad: the gradient is {} {}, the tensor {} {}; both must agree", grad.dtype(),
           grad.shape(), dtype(), shape());
  impl_->meta->grad = grad.defined() ? std::make_unique<Tensor>(std::move(grad)) : nullptr;
}

LostGraph Tensor::lost_graph() const {
  return impl().lost_graph;
}

void Tensor::set_lost_graph(LostGraph reason) const {
  (void)impl();
  impl_->lost_graph = reason;
}

const std::shared_ptr<GradMeta>& Tensor::grad_meta() const {
  return impl().meta;
}

void Tensor::set_grad_meta(std::shared_ptr<GradMeta> meta) const {
  (void)impl();
  impl_->meta = std::move(meta);
}

}  // namespace diagrad
