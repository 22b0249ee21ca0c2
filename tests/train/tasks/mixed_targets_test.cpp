#include "diagrad/train/tasks/classify/mixed_targets.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "diagrad/data/loader.h"
#include "diagrad/data/mix.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/tasks/task.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using doctest::Approx;

TEST_CASE("mixed targets worked out by hand") {
  const Tensor labels = Tensor::from<int64_t>({0, 2, 2}, {3});
  const Tensor plain = mixed_targets(labels, 0.7, 4, 0.0);
  REQUIRE(plain.shape() == Shape{3, 4});
  const double rows[3][4] = {{0.7, 0, 0.3, 0}, {0, 0, 1, 0}, {0.3, 0, 0.7, 0}};
  const Tensor smooth = mixed_targets(labels, 0.7, 4, 0.2);
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t k = 0; k < 4; ++k) {
      CHECK(plain.data<double>()[b * 4 + k] == Approx(rows[b][k]));
      CHECK(smooth.data<double>()[b * 4 + k] == Approx(0.8 * rows[b][k] + 0.05));
    }
  }
  CHECK(mixed_targets(Tensor::from<int64_t>({1}, {1}), 0.25, 2, 0.0).data<double>()[1] == 1.0);
  CHECK(testing::error_message([&] { mixed_targets(labels, 0.7, 2, 0.0); }) ==
        "mixed targets: label 2, but the model has outputs 0 to 1; set --classes");
}

data::Batch batch_of(int64_t count) {
  data::Loader loader(std::make_shared<testing::CountingDataset>(count, Shape{4, 4, 3}, 3),
                      {.batch = count});
  loader.start(0);
  data::Batch batch;
  loader.next(batch);
  return batch;
}

TEST_CASE("the loss of a mixed batch is that of both labels by their shares, smoothed once") {
  const data::Batch batch = batch_of(7);
  const data::Batch mixed = data::mix(batch, {.mixup = 0.8, .seed = 2}, 3);
  const double share = *mixed.own_share;
  REQUIRE((share > 0.01 && share < 0.99));
  testing::LinearNet net({4, 4, 3}, 3, 5, DType::f64);
  data::Batch converted = mixed;
  converted.images = mixed.images.to(DType::f64);
  const Tensor logits = net.forward(converted.images);
  const Tensor& labels = batch.target("label").values;
  std::vector<int64_t> reversed(labels.data<int64_t>(), labels.data<int64_t>() + 7);
  std::reverse(reversed.begin(), reversed.end());
  const Tensor partners = Tensor::from<int64_t>(std::span<const int64_t>(reversed), {7});
  for (const double smoothing : {0.0, 0.1}) {
    const auto task = make_task(fmt::format("classify:label-smoothing={}", smoothing));
    const TaskStep step = task->forward(net, converted);
    const CrossEntropyOptions options{.label_smoothing = smoothing};
    CHECK(step.loss.item() ==
          Approx(share * cross_entropy(logits, labels, options).item() +
                 (1.0 - share) * cross_entropy(logits, partners, options).item())
              .epsilon(1e-12));
    CHECK(step.sums.examples == 7);
    CHECK(std::isnan(task->values(step.sums).at(0)));
    // A batch that is not mixed has hard targets and an accuracy, smoothed once as well.
    converted.own_share.reset();
    const TaskStep hard = task->forward(net, converted);
    CHECK(hard.loss.item() == cross_entropy(logits, labels, options).item());
    CHECK(std::isfinite(task->values(hard.sums).at(0)));
    converted.own_share = share;
  }
}

}  // namespace
}  // namespace diagrad::train
