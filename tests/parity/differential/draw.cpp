#include "tests/parity/differential/draw.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace diagrad::parity {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Gaps of an integer tensor are 0: a valid label, so that only results can tell.
Tensor block_with_gaps(int64_t size, DType dtype) {
  return Tensor::full({size}, is_floating(dtype) ? kNan : 0.0, dtype);
}

Tensor transposed(const Tensor& x) {
  Shape strides = x.shape();
  int64_t step = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    strides[axis] = step;
    step *= x.size(axis);
  }
  return Tensor::empty({std::max<int64_t>(step, 1)}, x.dtype()).strided(x.shape(), strides);
}

Tensor sliced(const Tensor& x) {
  Shape strides = x.shape();
  int64_t step = 2;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= x.size(axis) + 1;
  }
  return block_with_gaps(step + 1, x.dtype()).strided(x.shape(), strides, 1);
}

}  // namespace

Tensor laid_out(const Input& input, DType dtype) {
  if (!input.values.defined()) return {};
  const Tensor x = is_floating(input.values.dtype()) ? input.values.to(dtype) : input.values;
  if (input.layout == Layout::contiguous) return x.clone();
  if (input.layout == Layout::expanded) {
    Shape strides = x.strides();
    strides[input.axis] = 0;
    return x.clone().strided(x.shape(), strides);
  }
  const Tensor view = input.layout == Layout::transposed ? transposed(x) : sliced(x);
  view.copy_(x);
  return view;
}

Draw::Draw(uint64_t seed, std::string_view purpose, int64_t number)
    : random_(seed, stream_id(purpose, static_cast<uint64_t>(number))),
      values_(static_cast<Values>(number % 3)) {}

int64_t Draw::between(int64_t low, int64_t high) {
  return low + random_.below(high - low + 1);
}

bool Draw::chance(int percent) {
  return random_.below(100) < percent;
}

double Draw::quarter(double low, double high) {
  return low + 0.25 * static_cast<double>(between(0, static_cast<int64_t>((high - low) * 4.0)));
}

Shape Draw::shape(int lowest_rank, int highest_rank, int64_t largest) {
  Shape shape;
  const int64_t rank = between(lowest_rank, highest_rank);
  for (int64_t axis = 0; axis < rank; ++axis) shape.push_back(between(1, largest));
  return shape;
}

Shape Draw::shape_or_empty(int lowest_rank, int highest_rank, int64_t largest) {
  Shape result = shape(lowest_rank, highest_rank, largest);
  if (result.rank() > 0 && chance(10)) {
    result[static_cast<int>(between(0, result.rank() - 1))] = 0;
  }
  return result;
}

Shape Draw::broadcasting(const Shape& shape) {
  Shape result;
  const int64_t first = chance(30) ? between(0, shape.rank()) : 0;
  for (int axis = static_cast<int>(first); axis < shape.rank(); ++axis) {
    result.push_back(chance(30) ? 1 : shape[axis]);
  }
  return result;
}

Tensor Draw::numbers(const Shape& shape, const Range& range, Values values) {
  const Tensor result = Tensor::empty(shape, DType::f64);
  double* const data = result.data<double>();
  const double width = range.high - range.low;
  for (int64_t i = 0; i < result.numel(); ++i) {
    if (values == Values::grid) {
      data[i] = quarter(range.low, range.high);
    } else {
      // Exact in f64 before it is rounded to f32: no machine rounds it otherwise.
      const double exact = range.low + width * static_cast<double>(between(0, 1 << 20)) / (1 << 20);
      data[i] = static_cast<double>(static_cast<float>(exact));
    }
  }
  if (values == Values::special && result.numel() > 0 && chance(70)) {
    for (int64_t count = between(1, 3); count > 0; --count) {
      data[between(0, result.numel() - 1)] = pick({kInfinity, -kInfinity, kNan, kNan, 0.0, -0.0});
    }
  }
  return result;
}

void Draw::choose_layout(Input& input) {
  const Tensor& x = input.values;
  if (x.rank() == 0 || chance(40)) return;
  input.layout = pick({Layout::transposed, Layout::sliced, Layout::expanded});
  if (input.layout != Layout::expanded) return;
  input.axis = static_cast<int>(between(0, x.rank() - 1));
  Shape strides = x.strides();
  strides[input.axis] = 0;
  if (x.numel() > 0) input.values = x.strided(x.shape(), strides).clone();
}

Input Draw::floats(const Shape& shape, const Range& range) {
  Input input{numbers(shape, range, values_)};
  choose_layout(input);
  return input;
}

Input Draw::off_grid(const Shape& shape, const Range& range) {
  Input input{numbers(shape, range, values_ == Values::grid ? Values::plain : values_)};
  choose_layout(input);
  return input;
}

Input Draw::constants(const Shape& shape, const Range& range) {
  return {numbers(shape, range, Values::plain), false};
}

Input Draw::labels(const Shape& shape, int64_t classes) {
  Input input{Tensor::empty(shape, DType::i64), false};
  for (int64_t i = 0; i < input.values.numel(); ++i) {
    input.values.data<int64_t>()[i] = between(0, classes - 1);
  }
  choose_layout(input);
  return input;
}

Input Draw::bits(const Shape& shape) {
  Input input{Tensor::empty(shape, DType::u8), false};
  for (int64_t i = 0; i < input.values.numel(); ++i) {
    input.values.data<uint8_t>()[i] = static_cast<uint8_t>(between(0, 1));
  }
  choose_layout(input);
  return input;
}

Input Draw::maybe(const Shape& shape, const Range& range) {
  return chance(50) ? floats(shape, range) : Input{Tensor(), false};
}

}  // namespace diagrad::parity
