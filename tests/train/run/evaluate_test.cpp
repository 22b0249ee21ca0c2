#include "diagrad/train/run/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/grad_mode.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using doctest::Approx;

const Shape kImage = {4, 4, 3};

/// A net that always answers class 0, with the same logits for all.
testing::LinearNet indifferent(int64_t classes) {
  testing::LinearNet net(kImage, classes, 1);
  for (const auto& parameter : net.named_parameters()) parameter.tensor.fill_(0.0);
  return net;
}

TEST_CASE("an evaluation counts every image once") {
  testing::LinearNet net = indifferent(4);
  const auto task = make_task("classify");
  const auto set = std::make_shared<testing::CountingDataset>(10, kImage, 3);
  for (const int workers : {0, 2}) {
    const Evaluation result =
        evaluate(*task, net, set, {.batch = 4, .workers = workers, .keep_outputs = true});
    CHECK(result.complete);
    CHECK(result.examples == 10);
    REQUIRE(result.metrics.size() == 2);
    CHECK(result.metrics[0].first == "loss");
    CHECK(result.metrics[0].second == Approx(std::log(4.0)));
    CHECK(value_of(result.metrics, "accuracy") == 0.4);
    CHECK(result.blocks.size() == 3);
    CHECK(result.details == keyed_json(result.blocks));
    CHECK(
        result.details ==
        R"({"confusion":[[4,0,0,0],[3,0,0,0],[3,0,0,0],[0,0,0,0]],"per_class":[1.0,0.0,0.0,null]})");
    CHECK(result.outputs.at("logits").shape() == Shape{10, 4});
    CHECK(result.outputs.at("labels").data<int64_t>()[9] == 0);
    CHECK(result.outputs.at("labels").data<int64_t>()[8] == 2);
  }
  CHECK(evaluate(*task, net, set, {}).outputs.empty());
}

TEST_CASE("an evaluation leaves mode and graph alone, and stops where `progress` returns false") {
  testing::LinearNet net = indifferent(10);
  const auto set = std::make_shared<testing::CountingDataset>(10, kImage);
  std::vector<int64_t> seen;
  const auto task = make_task("classify");
  const Evaluation result =
      evaluate(*task, net, set, {.batch = 4, .progress = [&](int64_t done, int64_t) {
                                   CHECK_FALSE(net.is_training());
                                   CHECK_FALSE(grad_enabled());
                                   seen.push_back(done);
                                   return done < 8;
                                 }});
  CHECK_FALSE(result.complete);
  CHECK(result.examples == 8);
  CHECK(result.blocks.empty());
  CHECK(result.details == "{}");
  CHECK(seen == std::vector<int64_t>{0, 4, 8});
  CHECK(net.is_training());
  CHECK(grad_enabled());
}

}  // namespace
}  // namespace diagrad::train
