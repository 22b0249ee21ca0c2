#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/record.h"
#include "diagrad/core/allocator.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/unary.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

Tensor leaf(std::initializer_list<double> values) {
  const Tensor x = Tensor::from<double>(values, {static_cast<int64_t>(values.size())});
  x.set_requires_grad(true);
  return x;
}

int64_t bytes_in_use() {
  return CpuAllocator::instance().stats().current_bytes;
}

TEST_CASE("a graph with 2^40 paths takes 40 steps") {
  const Tensor x = leaf({1.0});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = y + y;
  backward(y);
  CHECK(x.grad().item() == 0x1p40);
}

TEST_CASE("gradients add up over uses, passes and roots") {
  const Tensor x = leaf({2.0, 3.0});
  const Tensor w = leaf({5.0, 7.0});
  backward(sum(x * w + x * 10.0 - w));
  CHECK(x.grad().data<double>()[1] == 17.0);
  CHECK(w.grad().data<double>()[0] == 1.0);
  backward(sum(x * x));
  CHECK(x.grad().data<double>()[1] == 23.0);
  x.set_grad({});
  CHECK_FALSE(x.grad().defined());
  backward(x, Tensor::from<double>({1.0, 4.0}, {2}));  // a leaf may be the root
  CHECK(x.grad().data<double>()[1] == 4.0);
}

TEST_CASE("no two leaves share one gradient, nor a leaf and the caller") {
  const Tensor a = leaf({1.0});
  const Tensor b = leaf({1.0});
  const Tensor given = Tensor::ones({1}, DType::f64);
  backward(a + b, given);
  CHECK_FALSE(a.grad().shares_storage(b.grad()));
  CHECK_FALSE(a.grad().shares_storage(given));
  backward(a * 5.0);
  CHECK(a.grad().item() == 6.0);
  CHECK(b.grad().item() == 1.0);
  CHECK(given.item() == 1.0);
}

TEST_CASE("gradients add to one that a user set, also to a view that repeats elements") {
  const Tensor x = leaf({1.0, 2.0});
  x.set_grad(Tensor::full({}, 10.0, DType::f64).strided({2}, {0}));
  backward(sum(x * x));
  CHECK(x.grad().data<double>()[0] == 12.0);
  CHECK(x.grad().data<double>()[1] == 14.0);
}

TEST_CASE("gradients of a bf16 tensor that is used twice add up") {
  const Tensor x = leaf({1.5});
  const Tensor narrow = cast(x, DType::bf16);
  backward(cast(narrow, DType::f64) * 3.0 + cast(narrow, DType::f64) * 0.5);
  CHECK(x.grad().item() == 3.5);
}

TEST_CASE("a retained graph runs again and adds again, until a pass frees it") {
  const Tensor x = leaf({3.0});
  const Tensor y = x * x;
  backward(y, {}, {.retain_graph = true});
  backward(y, {}, {.retain_graph = true});
  CHECK(x.grad().item() == 12.0);
  backward(y);
  CHECK(x.grad().item() == 18.0);
  CHECK(error_message([&] { backward(y); }) ==
        "backward: the graph behind mul was freed by an earlier backward; pass {.retain_graph = "
        "true} to the first one, or run the forward pass again");
  CHECK(x.grad().item() == 18.0);
}

TEST_CASE("the misuse errors say what came and what to try") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK(error_message([&] { backward(x * 2.0); }) ==
        "backward: the root has shape [2]; a gradient of that shape is needed for a tensor with "
        "more than one element (or reduce it with sum or mean)");
  CHECK(error_message([&] { backward(x.detach()); }) ==
        "backward: the root of shape [2] does not depend on any tensor that requires gradients");
  CHECK(error_message([&] { backward(x * 2.0, Tensor::ones({3}, DType::f64)); }) ==
        "backward: the given gradient is f64 [3], the root f64 [2]");
  CHECK(error_message([&] { backward(x * 2.0, Tensor::ones({2})); }) ==
        "backward: the given gradient is f32 [2], the root f64 [2]");
  const Tensor rounded = autograd::record({"round"}, {x}, x.clone(), nullptr);
  CHECK(error_message([&] { backward(sum(rounded)); }) ==
        "backward: operation round has no derivative; use detach() or no_grad around it");
  const Tensor y = x * x;
  CHECK(error_message([&] { y.set_requires_grad(false); }) ==
        "set_requires_grad: the tensor of shape [2] is the result of mul; only leaves can change "
        "(use detach())");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("an operation without a derivative is no obstacle where no gradient passes it") {
  const Tensor x = leaf({1.0});
  const Tensor rounded = autograd::record({"round"}, {x}, x.clone(), nullptr);
  const Tensor y = rounded * 2.0;
  const Tensor z = y * x;
  CHECK(autograd::grad({z}, {y})[0].item() == 1.0);
}

TEST_CASE("grad reaches inner tensors, leaves and roots, and gives nothing where nothing leads") {
  const Tensor x = leaf({3.0});
  const Tensor other = leaf({1.0});
  const Tensor inner = x * 2.0;
  const Tensor y = inner * inner;
  const Tensor z = inner + 1.0;
  const auto gradients = autograd::grad({y, z}, {inner, x, y, other, inner});
  CHECK(gradients[0].item() == 13.0);
  CHECK(gradients[1].item() == 26.0);
  CHECK(gradients[2].item() == 1.0);
  CHECK_FALSE(gradients[3].defined());
  CHECK(gradients[4].item() == 13.0);
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(inner.grad().defined());
}

TEST_CASE("grad weighs each output with its vector") {
  const Tensor x = leaf({1.0, 2.0, 3.0});
  const Tensor part = slice(x, 0, 0, 2);
  const auto gradients = autograd::grad(
      {x * x, part}, {x},
      {Tensor::from<double>({1, 10, 100}, {3}), Tensor::from<double>({0.5, 0.25}, {2})});
  const double expected[] = {2.5, 40.25, 600.0};
  for (int i = 0; i < 3; ++i) CHECK(gradients[0].data<double>()[i] == expected[i]);
  CHECK(error_message([&] {
          autograd::grad({x * x, part}, {x}, {Tensor::ones({3}, DType::f64)});
        }) == "grad: 1 vectors given for 2 outputs");
  CHECK(error_message([&] { autograd::grad({sum(x)}, {x.detach()}); }) ==
        "grad: an input of shape [3] does not require gradients");
}

TEST_CASE("grad runs only what leads to its inputs") {
  const Tensor x = leaf({2.0});
  const Tensor w = leaf({5.0});
  int calls = 0;
  const Tensor counted =
      autograd::record({"counted"}, {w}, w.clone(), [&](const autograd::BackwardContext& context) {
        ++calls;
        return autograd::Gradients{context.gradient()};
      });
  const Tensor y = x * counted;
  CHECK(autograd::grad({y}, {x}, {}, {.retain_graph = true})[0].item() == 5.0);
  CHECK(calls == 0);
  backward(y);
  CHECK(calls == 1);
}

TEST_CASE("recording is switched per scope and per thread") {
  const Tensor x = leaf({2.0});
  {
    const NoGrad no_grad;
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE((x * x).requires_grad());
    {
      const GradMode on(true);
      CHECK((x * x).requires_grad());
    }
    bool elsewhere = false;
    std::thread([&] { elsewhere = (x * x).requires_grad(); }).join();
    CHECK(elsewhere);
    CHECK_FALSE(grad_enabled());
  }
  CHECK(grad_enabled());
  CHECK((x * x).requires_grad());
}

TEST_CASE("a detached tensor shares the data and stops the gradient") {
  const Tensor x = leaf({3.0});
  const Tensor y = x * x;
  const Tensor stopped = y.detach();
  CHECK(stopped.shares_storage(y));
  backward(stopped * x);
  CHECK(x.grad().item() == 9.0);
}

TEST_CASE("a graph that is dropped gives back what it saved, also an output saved by its node") {
  const int64_t before = bytes_in_use();
  {
    const Tensor x = Tensor::ones({1000}, DType::f64);
    x.set_requires_grad(true);
    const Tensor y = sigmoid(exp(x));
  }
  CHECK(bytes_in_use() == before);
}

TEST_CASE("backward frees what the operations saved as it goes") {
  const Tensor x = Tensor::ones({10000}, DType::f64);
  x.set_requires_grad(true);
  x.set_grad(Tensor::zeros_like(x));
  const int64_t before = bytes_in_use();
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = tanh(y);
  const Tensor root = sum(y);
  y = Tensor();
  CHECK(bytes_in_use() - before > 20 * 80000);
  CpuAllocator::instance().reset_peak();
  const int64_t peak_before = bytes_in_use();
  backward(root);
  CHECK(CpuAllocator::instance().stats().peak_bytes - peak_before < 4 * 100000);
  CHECK(bytes_in_use() - before < 80000);
}

TEST_CASE("a failed backward may be repeated once its cause is gone") {
  const Tensor x = leaf({2.0});
  const Tensor y = x * x;
  CHECK_FALSE(error_message([&] { backward(y, Tensor::ones({2}, DType::f64)); }).empty());
  backward(y);
  CHECK(x.grad().item() == 4.0);
  CHECK(grad_enabled());
}

}  // namespace
}  // namespace diagrad
