// The checks distrust the operations; these tests distrust the checks: each bug that is planted
// here must be found by the check made for it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "diagrad/autograd/record.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_checks.h"

namespace diagrad::testing {
namespace {

constexpr int64_t kSize = 24;

enum class Bug {
  none,
  forward,             ///< one value is a little off
  factor,              ///< the derivative has a wrong factor
  factor_in_f32,       ///< it has one in f32 alone
  missing_term,        ///< one term of the derivative is left out
  nan_gradient,        ///< the first element of the derivative is NaN
  strides,             ///< the input is read as if it were contiguous
  gradient_strides,    ///< the output's gradient is
  unwritten,           ///< one output is never written
  unwritten_gradient,  ///< one element of the gradient is not
  overrun,             ///< one value is written past the end
  underrun,            ///< one is written before the beginning
  not_repeatable,      ///< the result depends on how often it was called
  threads,             ///< the result depends on the number of threads
  zero,                ///< nothing is computed
};

/// Nothing where there is no guard: the system's own notes on the block may be there.
template <typename T>
[[gnu::no_sanitize_address, gnu::noinline]] void write_on_guard(T* place) {
  unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, place, sizeof(T));
  const bool guard = std::all_of(bytes, bytes + sizeof(T), [](auto byte) { return byte == 0xA5; });
  if (guard) *place = T(1);
}

template <typename T>
void square_values(const Tensor& x, const Tensor& y, Bug bug) {
  static int calls = 0;
  ++calls;
  const T* in = x.data<T>();
  T* out = y.data<T>();
  const int64_t size = y.numel() - (bug == Bug::unwritten ? 1 : 0);
  for (int64_t i = 0; i < size; ++i) out[i] = bug == Bug::zero ? T(0) : in[i] * in[i];
  if (bug == Bug::forward) out[kSize / 2] *= T(1.001);
  if (bug == Bug::overrun) write_on_guard(out + y.numel());
  if (bug == Bug::underrun) write_on_guard(out - 1);
  if (bug == Bug::not_repeatable) out[0] += T(calls) * T(1e-6);
  if (bug == Bug::threads) out[0] += T(num_threads()) * T(1e-6);
}

double factor_of(Bug bug, DType dtype) {
  if (bug == Bug::zero) return 0.0;
  if (bug == Bug::missing_term) return 1.0;
  const bool wrong = bug == Bug::factor || (bug == Bug::factor_in_f32 && dtype == DType::f32);
  return wrong ? 2.001 : 2.0;
}

Tensor square_gradient(const Tensor& x, const Tensor& dy, Bug bug) {
  const Tensor right = mul(mul(x, dy), factor_of(bug, x.dtype()));
  if (bug == Bug::nan_gradient) {
    right.strided({1}, {1}).fill_(std::numeric_limits<double>::quiet_NaN());
  }
  if (bug != Bug::unwritten_gradient) return right;
  const Tensor dx = Tensor::empty_like(right);
  dx.strided({kSize - 1}, {1}).copy_(right.strided({kSize - 1}, {1}));
  return dx;
}

/// y = x * x, written by hand, with a bug.
Tensor buggy_square(const Tensor& x, Bug bug) {
  Tensor input = x.contiguous();
  if (bug == Bug::strides) input = x.strided({kSize}, {1});
  const Tensor y = Tensor::empty(x.shape(), x.dtype());
  if (x.dtype() == DType::f64) {
    square_values<double>(input, y, bug);
  } else {
    square_values<float>(input, y, bug);
  }
  return autograd::record(
      {"square"}, {x}, y,
      [bug, saved = autograd::SavedTensor(x)](const autograd::BackwardContext& context) {
        Tensor dy = context.gradient();
        if (bug == Bug::gradient_strides) dy = dy.strided({kSize}, {1});
        return autograd::Gradients{square_gradient(saved.get(context), dy, bug)};
      });
}

OpCase case_with(Bug bug) {
  OpCase result;
  result.op = "square";
  result.variant = "planted";
  result.inputs = [](RandomStream& random) {
    return std::vector<Tensor>{random_away_from_zero(random, {kSize}, 0.2)};
  };
  result.run = [bug](std::span<const Tensor> in) {
    return std::vector<Tensor>{buggy_square(in[0], bug)};
  };
  result.reference = [](std::span<const Tensor> in) {
    const Tensor y = Tensor::empty_like(in[0]);
    for (int64_t i = 0; i < y.numel(); ++i) {
      y.data<double>()[i] = in[0].data<double>()[i] * in[0].data<double>()[i];
    }
    return std::vector<Tensor>{y};
  };
  return result;
}

/// x + v, x [4,4] and v [4], whose derivative for v sums over the wrong axis where told to: the
/// shape is right all the same.
OpCase add_row_case(bool wrong_axis) {
  OpCase result;
  result.op = "add_row";
  result.variant = "planted";
  result.inputs = [](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {4, 4}), random_input(random, {4})};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{
        autograd::record({"add_row"}, in, add(in[0].detach(), in[1].detach()),
                         [=](const autograd::BackwardContext& context) {
                           const Tensor dy = context.gradient();
                           return autograd::Gradients{dy, sum(dy, {.axes = {wrong_axis ? 1 : 0}})};
                         })};
  };
  return result;
}

/// x v, x [0,4] and v [4], whose derivative for v is not zero, or missing.
OpCase empty_case(bool unwritten) {
  OpCase result;
  result.op = "mul_row";
  result.variant = "planted, no rows";
  result.inputs = [](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {0, 4}), random_input(random, {4})};
  };
  result.run = [=](std::span<const Tensor> in) {
    if (!unwritten) return std::vector<Tensor>{mul(in[0], in[1].detach())};
    return std::vector<Tensor>{
        autograd::record({"mul_row"}, in, mul(in[0].detach(), in[1].detach()),
                         [x = in[0].shape(), v = in[1].shape(),
                          dtype = in[1].dtype()](const autograd::BackwardContext&) {
                           const Tensor dv = Tensor::zeros(v, dtype);
                           dv.data<double>()[2] = 1.0;
                           return autograd::Gradients{Tensor::empty(x, dtype), dv};
                         })};
  };
  result.empty = true;
  return result;
}

bool says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a right operation passes every check") {
  const OpCase right = case_with(Bug::none);
  CHECK(check_gradient(right).empty());
  CHECK(check_f32_gradient(right).empty());
  CHECK(check_gradient(add_row_case(false)).empty());
  for (const DType dtype : {DType::f64, DType::f32}) {
    CHECK(check_strided(right, dtype).empty());
    CHECK(check_reference(right, dtype).empty());
    CHECK(check_memory(right, dtype).empty());
    CHECK(check_repetition(right, dtype).empty());
    CHECK(check_threads(right, dtype).empty());
  }
}

TEST_CASE("a wrong value is found and named") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const std::string wrong = check_reference(case_with(Bug::forward), dtype);
    CHECK(says(wrong, "square, planted"));
    CHECK(says(wrong, "element 12: got"));
  }
}

TEST_CASE("a wrong derivative is found") {
  CHECK(says(check_gradient(case_with(Bug::factor)), "central difference"));
  CHECK(says(check_gradient(case_with(Bug::missing_term)), "central difference"));
  CHECK(says(check_gradient(case_with(Bug::nan_gradient)), "element 0: derivative nan"));
  CHECK(says(check_gradient(add_row_case(true)), "input 1 [4], element "));
}

TEST_CASE("a derivative that is wrong in single precision alone is found") {
  const OpCase wrong = case_with(Bug::factor_in_f32);
  CHECK(check_gradient(wrong).empty());
  CHECK(says(check_f32_gradient(wrong), "square, planted, f32, seed 1: gradient 0 [24], element "));
}

TEST_CASE("a gradient that is not there, or not zero, where nothing comes out is found") {
  CHECK(says(check_gradient(empty_case(true)), "element 2: derivative 1, central difference 0"));
  CHECK(says(check_gradient(empty_case(false)),
             "the gradient of input 1 has shape none, expected [4]"));
}

TEST_CASE("an operation that ignores strides is found") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    CHECK(says(check_strided(case_with(Bug::strides), dtype), "scattered: output 0"));
    CHECK(says(check_strided(case_with(Bug::gradient_strides), dtype), "scattered: gradient 0"));
  }
}

TEST_CASE("an element that is never written is found") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    CHECK(says(check_memory(case_with(Bug::unwritten), dtype), "output 0 [24], element 23 is NaN"));
    CHECK(says(check_memory(case_with(Bug::unwritten_gradient), dtype),
               "gradient 0 [24], element 23 is NaN"));
    CHECK(says(check_memory(case_with(Bug::nan_gradient), dtype),
               "gradient 0 [24], element 0 is NaN"));
  }
}

TEST_CASE("a result that is not the same again is found") {
  CHECK(says(check_repetition(case_with(Bug::not_repeatable), DType::f64), "element 0"));
}

TEST_CASE("a result that depends on the number of threads is found") {
  CHECK(says(check_threads(case_with(Bug::threads), DType::f64), "2 threads against one"));
}

TEST_CASE("an operation that gives nothing but zeros is found") {
  OpCase zero = case_with(Bug::zero);
  CHECK_FALSE(check_reference(zero, DType::f64).empty());
  zero.reference = zero.run;
  CHECK(says(check_reference(zero, DType::f64), "proves nothing"));
  CHECK(says(check_gradient(zero), "proves nothing"));
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("a write beside a block is found") {
  CHECK(says(check_memory(case_with(Bug::overrun), DType::f64), "outside of themselves"));
  CHECK(says(check_memory(case_with(Bug::underrun), DType::f64), "outside of themselves"));
}
#endif

}  // namespace
}  // namespace diagrad::testing
