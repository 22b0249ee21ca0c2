#include <doctest/doctest.h>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/node.h"
#include "diagrad/ops/binary.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

// What a caller who says nothing gets. Other tests say what they need, so that a changed default
// shows here alone.

TEST_CASE("defaults of autograd: a graph is freed, gradients of one element are 1") {
  const Tensor x = Tensor::full({1}, 3.0);
  x.set_requires_grad(true);
  const Tensor y = mul(x, x);
  backward(y);
  CHECK(x.grad().item() == 6.0);
  CHECK_FALSE(testing::error_message([&] { backward(y); }).empty());
  const Tensor z = mul(x, x);
  CHECK(autograd::grad({z}, {x})[0].item() == 6.0);
  CHECK_FALSE(testing::error_message([&] { autograd::grad({z}, {x}); }).empty());
}

TEST_CASE("defaults of gradcheck") {
  const autograd::GradcheckOptions options;
  CHECK(options.step == 1e-6);
  CHECK(options.tolerance == 1e-6);
  CHECK(options.max_elements == 64);
  CHECK(options.seed == 1);
  CHECK(autograd::GradcheckResult{}.passed);
  CHECK(autograd::GradcheckResult{}.worst == 0.0);
}

TEST_CASE("defaults of a recorded operation: no name, no multiply-adds, its first output") {
  CHECK(std::string(autograd::OpInfo{}.name).empty());
  CHECK(autograd::OpInfo{}.multiply_adds == 0);
  CHECK(autograd::Edge{}.output == 0);
  CHECK(autograd::CallLabel{}.call == -1);
  CHECK_FALSE(autograd::CallLabel{}.defined());
}

}  // namespace
}  // namespace diagrad
