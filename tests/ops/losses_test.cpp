#include "diagrad/ops/losses.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/engine.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("a label out of range is named with its place") {
  const Tensor logits = Tensor::zeros({3, 10});
  CHECK(testing::error_message([&] {
          cross_entropy(logits, Tensor::from<int64_t>({0, 9, 10}, {3}));
        }) ==
        "cross_entropy: label 10 at index 2 is outside [0, 10); give the model as many classes as "
        "the data has");
  CHECK(testing::error_message([&] {
          cross_entropy(logits, Tensor::from<int64_t>({-1, 0, 0}, {3}));
        }) ==
        "cross_entropy: label -1 at index 0 is outside [0, 10); give the model as many classes as "
        "the data has");
}

TEST_CASE("losses say what does not fit, with the numbers") {
  const Tensor labels = Tensor::zeros({4}, DType::i64);
  CHECK(testing::error_message([&] {
          cross_entropy(Tensor::zeros({3, 10}), labels);
        }) == "cross_entropy: expected labels i64 [3] for logits [3,10], got i64 [4]");
  CHECK(testing::error_message([&] {
          cross_entropy(Tensor::zeros({4, 10}), Tensor::zeros({4}));
        }) == "cross_entropy: expected labels i64 [4] for logits [4,10], got f32 [4]");
  CHECK(testing::error_message([&] {
          cross_entropy(Tensor::zeros({4, 2, 10}), labels);
        }) == "cross_entropy: expected logits [B,K], got [4,2,10]; reshape to rows of classes");
  CHECK(testing::error_message([&] {
          cross_entropy(Tensor::zeros({0, 10}), Tensor::zeros({0}, DType::i64));
        }) == "cross_entropy: logits [0,10] are empty, the mean over the batch is undefined");
  CHECK(testing::error_message([&] {
          cross_entropy(Tensor::zeros({4, 10}), labels, {.label_smoothing = 1.5});
        }) == "cross_entropy: label_smoothing 1.5 is outside [0, 1]");
  CHECK(testing::error_message([&] {
          cross_entropy_soft(Tensor::zeros({4, 10}), Tensor::zeros({4, 9}));
        }) ==
        "cross_entropy_soft: logits are f32 [4,10] but targets f32 [4,9]; one distribution per row "
        "is expected");
  CHECK(testing::error_message([&] {
          mse(Tensor::zeros({4}), Tensor::zeros({4, 1}));
        }) == "mse: expected two tensors of equal shape and dtype, got f32 [4] and f32 [4,1]");
  CHECK(testing::error_message([&] { bce_with_logits(Tensor::zeros({0}), Tensor::zeros({0})); }) ==
        "bce_with_logits: tensors of shape [0] are empty, their mean is undefined");
}

TEST_CASE("losses stay finite where exponentials would overflow") {
  const Tensor logits = Tensor::from<float>({1e4F, -1e4F, 0.0F, 3e38F, 0.0F, -3e38F}, {2, 3});
  logits.set_requires_grad(true);
  const Tensor right = cross_entropy(logits, Tensor::from<int64_t>({0, 0}, {2}));
  CHECK(right.item() == 0.0);
  const Tensor wrong = cross_entropy(logits, Tensor::from<int64_t>({2, 0}, {2}));
  CHECK(wrong.item() == 5e3);
  backward(wrong);
  const float* gradient = logits.grad().data<float>();
  CHECK(gradient[0] == 0.5F);
  CHECK(gradient[2] == -0.5F);
  CHECK(gradient[3] == 0.0F);
  const Tensor x = Tensor::from<float>({1e4F, -1e4F}, {2});
  CHECK(bce_with_logits(x, Tensor::from<float>({0, 0}, {2})).item() == 5e3);
  CHECK(bce_with_logits(x, Tensor::from<float>({1, 0}, {2})).item() == 0.0);
}

TEST_CASE("soft targets that are one-hot give the loss of labels") {
  const Tensor logits = Tensor::from<double>({0.5, -1.0, 2.0, 0.1, 0.2, 0.3}, {2, 3});
  const Tensor targets = Tensor::from<double>({0, 1, 0, 0, 0, 1}, {2, 3});
  CHECK(cross_entropy_soft(logits, targets).item() ==
        doctest::Approx(cross_entropy(logits, Tensor::from<int64_t>({1, 2}, {2})).item())
            .epsilon(1e-14));
}

}  // namespace
}  // namespace diagrad
