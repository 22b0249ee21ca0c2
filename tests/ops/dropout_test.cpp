#include "diagrad/ops/dropout.h"

#include <doctest/doctest.h>

#include "diagrad/autograd/engine.h"
#include "diagrad/ops/embedding.h"
#include "diagrad/ops/softmax.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

int64_t zeros_of(const Tensor& y) {
  int64_t count = 0;
  for (int64_t i = 0; i < y.numel(); ++i) count += y.data<float>()[i] == 0.0F ? 1 : 0;
  return count;
}

TEST_CASE("dropout drops the share it says and keeps the mean") {
  const Tensor x = Tensor::ones({1000, 100});
  for (const double p : {0.1, 0.5, 0.9}) {
    CAPTURE(p);
    const Tensor y = dropout(x, {.p = p, .seed = 1, .stream = 2});
    CHECK(static_cast<double>(zeros_of(y)) / 1e5 == doctest::Approx(p).epsilon(0.02));
  }
  CHECK(zeros_of(dropout(x, {.p = 0.0})) == 0);
  CHECK(zeros_of(dropout(x, {.p = 1.0})) == 100000);
}

TEST_CASE("the mask depends on seed, stream and element alone, and is that of the gradient") {
  const Tensor x = Tensor::ones({37, 5});
  x.set_requires_grad(true);
  const DropoutOptions options{.p = 0.4, .seed = 9, .stream = 4};
  const Tensor y = dropout(x, options);
  backward(y, Tensor::ones_like(y));
  const Tensor again = dropout(Tensor::ones({100}), options);
  const Tensor other_stream = dropout(x, {.p = 0.4, .seed = 9, .stream = 5});
  const Tensor other_seed = dropout(x, {.p = 0.4, .seed = 8, .stream = 4});
  int64_t differ_by_stream = 0;
  int64_t differ_by_seed = 0;
  for (int64_t i = 0; i < y.numel(); ++i) {
    const float value = y.data<float>()[i];
    CHECK(x.grad().data<float>()[i] == value);
    if (i < 100) CHECK(again.data<float>()[i] == value);
    differ_by_stream += other_stream.data<float>()[i] != value ? 1 : 0;
    differ_by_seed += other_seed.data<float>()[i] != value ? 1 : 0;
  }
  CHECK(differ_by_stream > 50);
  CHECK(differ_by_seed > 50);
}

TEST_CASE("dropout, softmax, embedding and gather say what does not fit, with the numbers") {
  CHECK(testing::error_message([] { dropout(Tensor::ones({3}), {.p = 1.5}); }) ==
        "dropout: probability 1.5 is outside [0, 1]");
  CHECK(testing::error_message([] { drop_path(Tensor::ones({}), {.p = 0.5}); }) ==
        "drop_path: expected input [B,...], got []");
  CHECK(testing::error_message([] {
          softmax(Tensor::ones({3, 4}), 2);
        }) == "softmax: axis 2 is out of range for a tensor of rank 2");
  const Tensor table = Tensor::zeros({5, 3});
  CHECK(testing::error_message([&] {
          embedding(table, Tensor::from<int64_t>({0, 4, 5, 1}, {2, 2}));
        }) == "embedding: index 5 at position 2 (row-major) is outside [0, 5)");
  CHECK(testing::error_message([&] { embedding(table, Tensor::zeros({2})); }) ==
        "embedding: indices must be i64, got f32 [2]");
  CHECK(testing::error_message([&] {
          gather(table, 1, Tensor::from<int64_t>({-1}, {1, 1}));
        }) == "gather: index -1 at position 0 (row-major) is outside [0, 3)");
  CHECK(testing::error_message([&] {
          gather(table, 1, Tensor::zeros({6, 1}, DType::i64));
        }) ==
        "gather: index [6,1] does not fit input [5,3] along axis 1; ranks must be equal and the "
        "other axes of the index at most as long");
}

TEST_CASE("softmax gives masked values no weight") {
  const float masked = -std::numeric_limits<float>::infinity();
  const Tensor y = softmax(Tensor::from<float>({masked, 0, 0, masked}, {4}), 0);
  CHECK(y.data<float>()[0] == 0.0F);
  CHECK(y.data<float>()[1] == 0.5F);
  CHECK(y.data<float>()[3] == 0.0F);
}

}  // namespace
}  // namespace diagrad
