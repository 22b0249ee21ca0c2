// The checks distrust the operations; these tests distrust the checks: each bug that is planted
// here must be found by the check that is meant for it.
#include <doctest/doctest.h>

#include <cstdlib>

#include "diagrad/autograd/record.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/binary.h"
#include "tests/support/op_checks.h"

namespace diagrad::testing {
namespace {

constexpr int64_t kSize = 24;

enum class Bug {
  none,
  forward,         ///< one value is a little off
  factor,          ///< the derivative has a wrong factor
  missing_term,    ///< one term of the derivative is left out
  strides,         ///< the input is read as if it were contiguous
  unwritten,       ///< one output is never written
  overrun,         ///< one value is written past the end
  not_repeatable,  ///< the result depends on how often it was called
  threads,         ///< the result depends on the number of threads
  zero,            ///< nothing is computed
};

template <typename T>
void square_values(const Tensor& x, const Tensor& y, Bug bug) {
  static int calls = 0;
  ++calls;
  const T* in = x.data<T>();
  T* out = y.data<T>();
  const int64_t size = y.numel() - (bug == Bug::unwritten ? 1 : 0);
  for (int64_t i = 0; i < size; ++i) out[i] = bug == Bug::zero ? T(0) : in[i] * in[i];
  if (bug == Bug::forward) out[kSize / 2] *= T(1.001);
  if (bug == Bug::overrun) out[y.numel()] = T(1);
  if (bug == Bug::not_repeatable) out[0] += T(calls) * T(1e-6);
  if (bug == Bug::threads) out[0] += T(num_threads()) * T(1e-6);
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
        const double factor = bug == Bug::factor ? 2.001 : bug == Bug::missing_term ? 1.0 : 2.0;
        const double scale = bug == Bug::zero ? 0.0 : factor;
        return autograd::Gradients{mul(mul(saved.get(context), context.gradient()), scale)};
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

bool says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a right operation passes every check") {
  const OpCase right = case_with(Bug::none);
  CHECK(check_gradient(right).empty());
  CHECK(check_strided(right).empty());
  for (const DType dtype : {DType::f64, DType::f32}) {
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
}

TEST_CASE("an operation that ignores strides is found") {
  CHECK(says(check_strided(case_with(Bug::strides)), "output 0"));
}

TEST_CASE("an element that is never written is found") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    CHECK(says(check_memory(case_with(Bug::unwritten), dtype), "never written"));
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
TEST_CASE("a write past the end of a block is found") {
  CHECK(says(check_memory(case_with(Bug::overrun), DType::f64), "written beyond"));
}
#endif

}  // namespace
}  // namespace diagrad::testing
