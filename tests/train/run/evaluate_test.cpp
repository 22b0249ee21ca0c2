#include "diagrad/train/run/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

const Shape kImage = {4, 4, 3};

/// A net that always answers class 0, with the same logits for all.
testing::LinearNet indifferent(int64_t classes) {
  testing::LinearNet net(kImage, classes, 1);
  for (const auto& parameter : net.named_parameters()) parameter.tensor.fill_(0.0);
  return net;
}

TEST_CASE("the score of logits worked out by hand") {
  const Tensor logits = Tensor::from<float>({2.0F, 2.0F, 0.0F, 0.0F, 1.0F, 0.0F}, {2, 3});
  const Score result = score(logits, Tensor::from<int64_t>({0, 2}, {2}));
  CHECK(result.correct == 1);  // of equal logits the first counts
  CHECK(result.predicted == std::vector<int64_t>{0, 1});
  CHECK(result.loss_sum ==
        Approx(std::log(2.0 + std::exp(-2.0)) + std::log(2.0 + std::exp(1.0))).epsilon(1e-12));
  // Large logits do not overflow, bad ones do not crash.
  const Tensor large = Tensor::from<float>({1e30F, -1e30F}, {1, 2});
  CHECK(score(large, Tensor::from<int64_t>({0}, {1})).loss_sum == 0.0);
  const Tensor bad = Tensor::full({1, 2}, NAN);
  CHECK(std::isnan(score(bad, Tensor::from<int64_t>({1}, {1})).loss_sum));
  CHECK(error_message([&] {
          score(logits, Tensor::from<int64_t>({0, 3}, {2}));
        }) == "score: label 3, but the model has outputs 0 to 2; set --classes");
}

TEST_CASE("an evaluation counts every image once") {
  testing::LinearNet net = indifferent(4);
  const auto set = std::make_shared<testing::CountingDataset>(10, kImage, 3);
  for (const int workers : {0, 2}) {
    const Evaluation result =
        evaluate(net, set, {.batch = 4, .workers = workers, .keep_logits = true});
    CHECK(result.complete);
    CHECK(result.examples == 10);
    CHECK(result.loss == Approx(std::log(4.0)));
    CHECK(result.accuracy == 0.4);
    CHECK(result.correct == 4);
    CHECK(result.images == std::vector<int64_t>{4, 3, 3, 0});
    REQUIRE(result.confusion.size() == 4);
    CHECK(result.confusion[0] == std::vector<int64_t>{4, 0, 0, 0});
    CHECK(result.confusion[2] == std::vector<int64_t>{3, 0, 0, 0});
    CHECK(result.per_class[0] == 1.0);
    CHECK(result.per_class[1] == 0.0);
    CHECK(std::isnan(result.per_class[3]));  // no image has this label
    CHECK(result.logits.shape() == Shape{10, 4});
    CHECK(result.labels.data<int64_t>()[9] == 0);
    CHECK(result.labels.data<int64_t>()[8] == 2);
  }
}

TEST_CASE("with many classes an evaluation counts by class and keeps no confusion matrix") {
  const auto set = std::make_shared<testing::CountingDataset>(10, kImage, 3);
  for (const int64_t classes :
       {kMostConfusionClasses, kMostConfusionClasses + 1, int64_t{100'000}}) {
    testing::LinearNet net = indifferent(classes);
    const Evaluation result = evaluate(net, set, {.batch = 4});
    CHECK(result.accuracy == 0.4);
    CHECK(result.correct == 4);
    REQUIRE(result.per_class.size() == static_cast<size_t>(classes));
    CHECK(result.per_class[0] == 1.0);
    CHECK(result.per_class[2] == 0.0);
    CHECK(std::isnan(result.per_class[3]));
    const bool kept = classes <= kMostConfusionClasses;
    CHECK(result.confusion.size() == static_cast<size_t>(kept ? classes : 0));
  }
}

TEST_CASE("an evaluation leaves mode and graph alone, and stops when it is told to") {
  testing::LinearNet net = indifferent(10);
  const auto set = std::make_shared<testing::CountingDataset>(10, kImage);
  std::vector<int64_t> seen;
  const Evaluation result = evaluate(net, set, {.batch = 4, .progress = [&](int64_t done, int64_t) {
                                                  CHECK_FALSE(net.is_training());
                                                  CHECK_FALSE(grad_enabled());
                                                  seen.push_back(done);
                                                  return done < 8;
                                                }});
  CHECK_FALSE(result.complete);
  CHECK(result.examples == 8);
  CHECK(seen == std::vector<int64_t>{0, 4, 8});
  CHECK(net.is_training());
  CHECK(grad_enabled());
}

}  // namespace
}  // namespace diagrad::train
