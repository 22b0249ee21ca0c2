#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/trace.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "diagrad/ops/inplace.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/transpose.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

/// x = 3 that requires gradients, y = x^3, and g = dy/dx = 27 by grad().
struct Cube {
  Tensor x = Tensor::full({1, 1}, 3.0, DType::f64);
  Tensor y, g;

  Cube() {
    x.set_requires_grad(true);
    y = mul(mul(x, x), x);
    g = autograd::grad({y}, {x}, {}, {.retain_graph = true})[0];
  }
};

const std::string kRefused =
    " of shape [1,1] is a gradient, or computed from one, beside an input that requires gradients; "
    "gradients carry no graph, so its derivative would be missing; use its detach() as a constant";

TEST_CASE("y + g * g after grad is refused, and its detach() is a constant") {
  const Cube cube;
  const Tensor square = mul(cube.g, cube.g);  // alone it is a number like others
  CHECK(square.item() == 729.0);
  CHECK(error_message([&] { add(cube.y, square); }) == "add: input 1" + kRefused);
  CHECK(error_message([&] { add(cube.g, cube.y); }) == "add: input 0" + kRefused);
  try {
    add(cube.y, cube.g);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
  }
  const Tensor g = cube.g.detach();
  backward(add(cube.y, mul(g, g)));
  CHECK(cube.x.grad().item() == 27.0);
}

TEST_CASE("what is computed from a gradient carries no graph either, by whatever way") {
  const Cube cube;
  const auto refused = [&](const Tensor& value) {
    return !error_message([&] { mul(reshape(cube.x, value.shape()), value); }).empty();
  };
  const Tensor& g = cube.g;
  CHECK(refused(mul(g, Tensor::ones({1, 1}, DType::f64))));
  CHECK(refused(relu(g)));
  CHECK(refused(sum(g)));
  CHECK(refused(reshape(g, {1})));
  CHECK(refused(transpose(g, 0, 1)));
  CHECK(refused(g.strided({1}, {1})));
  CHECK(refused(g.clone()));
  CHECK(refused(g.contiguous()));
  CHECK(refused(g.to(DType::f32).to(DType::f64)));
  CHECK(refused(cast(cast(g, DType::f32), DType::f64)));
  const Tensor total = Tensor::zeros({1, 1}, DType::f64);
  add_(total, g);
  CHECK(refused(total));
  // Constants: detached, computed without recording, integers, and what holds copied values.
  CHECK_FALSE(refused(g.detach()));
  CHECK_FALSE(refused(mul(g.detach(), g.detach())));
  const Tensor copy = Tensor::empty_like(g);
  copy.copy_(g);
  CHECK_FALSE(refused(copy));
  CHECK_FALSE(refused(g.to(DType::i64).to(DType::f64)));
  const NoGrad no_grad;
  const Tensor unrecorded = mul(g, g);
  const GradMode on(true);
  CHECK_FALSE(refused(unrecorded));
}

TEST_CASE("every door that gives a gradient marks it: grad, .grad, retain_grad, hooks and traces") {
  const Tensor x = Tensor::full({2}, 3.0, DType::f64);
  x.set_requires_grad(true);
  const auto refused = [&](const Tensor& value) {
    return error_message([&] { mul(x, value); }).find("use its detach()") != std::string::npos;
  };
  const Tensor inner = mul(x, x);
  autograd::retain_grad(inner);
  Tensor seen;
  autograd::add_hook(inner, [&](const Tensor& gradient) {
    seen = gradient;
    return Tensor();
  });
  const autograd::GradientTrace trace;
  backward(sum(mul(inner, x)));
  CHECK(refused(x.grad()));
  CHECK(refused(inner.grad()));
  CHECK(refused(seen));
  REQUIRE(trace.contributions(x).size() == 1);
  CHECK(refused(trace.contributions(x)[0].gradient));
  backward(sum(mul(x, x)));  // added to what is there
  CHECK(refused(x.grad()));
  // A gradient set by the user is the user's constant until a backward adds to it.
  const Tensor own = Tensor::ones({2}, DType::f64);
  x.set_grad(own);
  CHECK_FALSE(refused(own));
  backward(sum(mul(x, x)));
  CHECK(refused(x.grad()));
}

TEST_CASE("marking a gradient leaves a tensor of the user's alone that a derivative returned") {
  const Tensor x = Tensor::ones({2}, DType::f64);
  x.set_requires_grad(true);
  const Tensor given = Tensor::full({2}, 5.0, DType::f64);
  const auto gradients = autograd::grad({x}, {x}, {given});
  CHECK(gradients[0].data<double>()[0] == 5.0);
  CHECK(error_message([&] { mul(x, given); }).empty());
  CHECK_FALSE(error_message([&] { mul(x, gradients[0]); }).empty());
  backward(mul(x, x), given);
  CHECK(error_message([&] { mul(x, given); }).empty());
}

TEST_CASE("gradients may be used where nothing is recorded, and weigh another backward") {
  const Cube cube;
  {
    const NoGrad no_grad;
    CHECK(mul(cube.x, cube.g).item() == 81.0);
    add_(cube.x, cube.g, -0.1);
  }
  const Tensor y = mul(cube.x, cube.x);
  CHECK(error_message([&] { backward(y, cube.g); }).empty());
  // As a leaf of its own it is differentiated like any other.
  const Cube other;
  other.g.set_requires_grad(true);
  CHECK(autograd::grad({mul(other.g, other.g)}, {other.g})[0].item() == 54.0);
}

TEST_CASE("a check of a function that uses grad inside fails with words, not with numbers") {
  const Tensor x = Tensor::full({1}, 3.0, DType::f64);
  x.set_requires_grad(true);
  const auto penalised = [](std::span<const Tensor> in) {
    const GradMode on(true);
    const Tensor y = mul(in[0], in[0]);
    const Tensor g = autograd::grad({y}, {in[0]}, {}, {.retain_graph = true})[0];
    return std::vector<Tensor>{add(y, mul(g, g))};
  };
  CHECK(error_message([&] { autograd::gradcheck(penalised, {&x, 1}); }).find("add: input 1") == 0);
}

TEST_CASE("a backward that has no graph says why: no_grad was on, or it is a gradient") {
  const Tensor x = Tensor::full({1}, 3.0);
  x.set_requires_grad(true);
  Tensor loss;
  {
    const NoGrad no_grad;
    loss = mul(x, x);
  }
  const std::string root =
      "backward: the root of shape [1] does not depend on any tensor that requires gradients";
  const std::string off =
      ": it was computed while recording was off (NoGrad); leave that scope before the forward "
      "pass";
  CHECK(error_message([&] { backward(loss); }) == root + off);
  CHECK(error_message([&] { backward(mul(loss, 2.0)); }) == root + off);
  CHECK(error_message([&] { backward(loss.detach()); }) == root);
  CHECK(error_message([&] { autograd::grad({mul(x, x)}, {loss}); }) ==
        "grad: an input of shape [1] does not require gradients" + off);
  const Tensor g = autograd::grad({mul(x, x)}, {x})[0];
  CHECK(error_message([&] { backward(g); }) ==
        root + ": it is a gradient, or computed from one, and gradients carry no graph");
  // Values made without recording are constants beside others.
  backward(mul(x, loss));
  CHECK(x.grad().item() == 9.0);
}

}  // namespace
}  // namespace diagrad
