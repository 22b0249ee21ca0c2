// An operation of one's own on vectors, compiled for another instruction set than the library:
// its vectors are of another width, and neither side may be linked to functions of the other's.
// Ends with 1 where a value is wrong.
#include <cmath>
#include <cstdio>

#include "diagrad/core/elementwise.h"
#include "diagrad/core/float_math.h"
#include "diagrad/ops/unary.h"

using namespace diagrad;

int main() {
  const Tensor x = Tensor::empty({37});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = 0.25F * static_cast<float>(i - 18);
  const Tensor mine = Tensor::empty_like(x);
  elementwise_math<float>(
      mine, [](auto v) { return exp_of(v); }, x);
  const Tensor theirs = exp(x);

  int wrong = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double right = std::exp(static_cast<double>(x.data<float>()[i]));
    const auto is_right = [right](float value) {
      return std::abs(static_cast<double>(value) - right) < 2e-7 * right;
    };
    if (!is_right(mine.data<float>()[i]) || !is_right(theirs.data<float>()[i])) ++wrong;
  }
  std::printf("vectors of %d bytes here: %d wrong\n", kVectorBytes, wrong);
  return wrong == 0 ? 0 : 1;
}
