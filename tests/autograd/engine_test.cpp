#include "diagrad/autograd/engine.h"

#include <doctest/doctest.h>

#include <functional>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/record.h"
#include "diagrad/autograd/trace.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/core/error.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// y = a * x in a user's own file: the public way to add an operation.
Tensor scaled(const Tensor& x, double a) {
  const Tensor y = Tensor::empty_like(x);
  elementwise<double, double>(
      y, [a](double v) { return a * v; }, x);
  return autograd::record({"scaled"}, {x}, y, [a](const BackwardContext& context) {
    const Tensor dy = context.gradient();
    const Tensor dx = Tensor::empty_like(dy);
    elementwise<double, double>(
        dx, [a](double v) { return a * v; }, dy);
    return Gradients{dx};
  });
}

Tensor product(const Tensor& a, const Tensor& b) {
  const auto multiply = [](const Tensor& x, const Tensor& y) {
    const Tensor z = Tensor::empty_like(x);
    elementwise<double, double, double>(
        z, [](double v, double w) { return v * w; }, x, y);
    return z;
  };
  return autograd::record(
      {"product"}, {a, b}, multiply(a, b),
      [=, a = SavedTensor(a), b = SavedTensor(b)](const BackwardContext& context) {
        const Tensor dy = context.gradient();
        return Gradients{context.needs(0) ? multiply(dy, b.get(context)) : Tensor(),
                         context.needs(1) ? multiply(dy, a.get(context)) : Tensor()};
      });
}

Tensor leaf(std::initializer_list<double> values) {
  const Tensor x = Tensor::from<double>(values, {static_cast<int64_t>(values.size())});
  x.set_requires_grad(true);
  return x;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a used-twice leaf collects both gradients") {
  const Tensor x = leaf({3.0});
  backward(product(scaled(x, 2.0), x));  // d(2x^2)/dx = 4x
  CHECK(x.grad().item() == 12.0);
  backward(product(x, x));
  CHECK(x.grad().item() == 18.0);
}

TEST_CASE("a chain of 100,000 nodes runs and is destroyed without recursion") {
  const Tensor x = leaf({1.0});
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = scaled(y, 1.0);
  backward(y);
  CHECK(x.grad().item() == 1.0);
  Tensor unused = x;
  for (int i = 0; i < 100000; ++i) unused = scaled(unused, 1.0);
}

TEST_CASE("the four misuse errors name what happened") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK(contains(message_of([&] { backward(scaled(x, 2.0)); }), "shape [2]"));
  const Tensor one = leaf({1.0});
  const Tensor y = product(one, one);
  backward(y);
  CHECK(contains(message_of([&] { backward(y); }), "freed by an earlier backward"));
  const Tensor z = product(one, one);
  one.fill_(5.0);
  CHECK(contains(message_of([&] { backward(z); }), "backward of product"));
  const Tensor ruleless = autograd::record({"ruleless"}, {one}, one.clone(), nullptr);
  CHECK(contains(message_of([&] { backward(ruleless); }), "ruleless has no derivative"));
}

TEST_CASE("grad gives gradients of inner tensors and leaves leaves alone") {
  const Tensor x = leaf({3.0});
  const Tensor inner = scaled(x, 2.0);
  const Tensor y = product(inner, inner);
  const auto gradients = autograd::grad({y}, {inner}, {}, {.retain_graph = true});
  CHECK(gradients[0].item() == 12.0);
  CHECK_FALSE(x.grad().defined());
  CHECK(autograd::grad({y}, {x})[0].item() == 24.0);
}

TEST_CASE("no_grad and detach record nothing") {
  const Tensor x = leaf({3.0});
  {
    const NoGrad no_grad;
    CHECK_FALSE(scaled(x, 2.0).requires_grad());
  }
  CHECK_FALSE(scaled(x.detach(), 2.0).requires_grad());
}

/// a * x, whose derivative writes over the gradient it gets and adds to the one that is there.
Tensor scaled_in_place(const Tensor& x, double a, int* additions) {
  const Tensor y = Tensor::empty_like(x);
  elementwise<double, double>(
      y, [a](double v) { return a * v; }, x);
  return autograd::record({"scaled_in_place"}, {x}, y, [=](const BackwardContext& context) {
    const Tensor dx = context.reuse_grad_buffer();
    elementwise<double, double>(
        dx, [a](double v) { return a * v; }, context.gradient());
    const Tensor sum = context.take_grad_accumulator(0);
    if (!sum.defined()) return Gradients{dx};
    CHECK_FALSE(context.take_grad_accumulator(0).defined());
    ++*additions;
    elementwise<double, double, double>(
        sum, [](double v, double w) { return v + w; }, sum, dx);
    return Gradients{sum};
  });
}

TEST_CASE("derivatives may use the memory of gradients that nobody else holds") {
  const Tensor x = leaf({2.0, 3.0});
  const Tensor given = Tensor::ones({2}, DType::f64);
  int additions = 0;
  Tensor inner = scaled(x, 1.0);
  Tensor y = scaled_in_place(inner, 5.0, &additions);
  Tensor z = scaled_in_place(inner, 7.0, &additions);
  // The given gradients stay as they were; the sums at `inner` and at x are changed in place.
  const auto all = autograd::grad({scaled(y, 1.0), scaled(z, 1.0), x}, {x}, {given, given, given},
                                  {.retain_graph = true});
  CHECK(all[0].data<double>()[1] == 13.0);
  CHECK(additions == 1);
  CHECK(given.data<double>()[0] == 1.0);

  // What a hook or the caller sees is not changed afterwards.
  Tensor seen;
  autograd::add_hook(y, [&](const Tensor& gradient) {
    seen = gradient;
    return Tensor();
  });
  const auto two = autograd::grad({scaled(y, 3.0)}, {y, x}, {given}, {.retain_graph = true});
  CHECK(seen.data<double>()[0] == 3.0);
  CHECK(two[0].data<double>()[0] == 3.0);
  CHECK(two[1].data<double>()[0] == 15.0);

  // A listener hears every gradient by itself.
  const autograd::GradientTrace trace;
  additions = 0;
  autograd::grad({y, z}, {x}, {given, given});
  CHECK(additions == 0);
}

TEST_CASE("hooks see and replace gradients, and can be removed") {
  const Tensor x = leaf({3.0});
  const auto handle = autograd::add_hook(
      x, [](const Tensor& g) { return Tensor::full(g.shape(), 10.0 * g.item(), DType::f64); });
  backward(scaled(x, 2.0));
  CHECK(x.grad().item() == 20.0);
  autograd::remove_hook(handle);
  backward(scaled(x, 2.0));
  CHECK(x.grad().item() == 22.0);
}

TEST_CASE("a trace keeps each call's share, also through a shared cast") {
  const Tensor p = leaf({2.0});
  const autograd::GradientTrace trace;
  const Tensor shared = scaled(p, 3.0);  // outside every call, like a cast
  Tensor x = leaf({1.0});
  for (int call = 0; call < 3; ++call) {
    const autograd::CallScope scope("unit", call);
    x = product(x, shared);
  }
  backward(x);  // x = (3p)^3: each call's share is a third of 81 p^2
  const auto shares = trace.contributions(p);
  REQUIRE(shares.size() == 3);
  double sum = 0.0;
  for (const auto& share : shares) {
    CHECK(share.gradient.item() == doctest::Approx(108.0));
    sum += share.gradient.item();
  }
  CHECK(sum == doctest::Approx(p.grad().item()));
}

TEST_CASE("gradcheck accepts a right rule and rejects planted bugs") {
  const Tensor x = leaf({0.5, -1.5});
  const auto right = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{product(in[0], scaled(in[0], 0.5))};
  };
  CHECK(autograd::gradcheck(right, {&x, 1}));
  const auto wrong = [](std::span<const Tensor> in) {
    const Tensor y = scaled(in[0].detach(), 2.0);
    return std::vector<Tensor>{autograd::record({"wrong"}, {in[0]}, y, [](const auto& context) {
      return Gradients{context.gradient()};  // forgets the factor
    })};
  };
  const auto result = autograd::gradcheck(wrong, {&x, 1});
  CHECK_FALSE(result);
  CHECK(contains(result.message, "central difference"));
}

}  // namespace
}  // namespace diagrad
