#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/data/loader.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/tasks/classify/confusion.h"
#include "diagrad/train/tasks/classify/evaluator.h"
#include "diagrad/train/tasks/classify/score.h"
#include "diagrad/train/tasks/task.h"
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

data::DatasetPtr counting_set(int64_t size, int64_t classes) {
  return std::make_shared<testing::CountingDataset>(size, kImage, classes);
}

std::vector<data::Batch> batches_of(const data::DatasetPtr& set, int64_t size) {
  data::Loader loader(set, {.batch = size});
  std::vector<data::Batch> all;
  loader.start(0);
  for (data::Batch batch; loader.next(batch);) all.push_back(batch);
  return all;
}

MetricSums sum_of(const std::vector<MetricSums>& parts) {
  MetricSums total;
  for (const MetricSums& part : parts) total.add(part);
  return total;
}

std::vector<int64_t> indices(const Gallery& gallery) {
  std::vector<int64_t> list;
  for (const Gallery::Image& image : gallery.images) list.push_back(image.index);
  return list;
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

TEST_CASE("the metrics of classification are the loss and the accuracy, which is primary") {
  const auto task = make_task("classify");
  REQUIRE(task->all_metrics().size() == 2);
  CHECK(task->all_metrics()[0].name == "loss");
  CHECK_FALSE(task->all_metrics()[0].higher_is_better);
  CHECK(task->primary().name == "accuracy");
  CHECK(task->primary().higher_is_better);
  CHECK(task->primary().is_share);
  CHECK(task->values({.examples = 8, .loss = 4.0, .values = {6.0}}) == std::vector<double>{0.75});
  CHECK(task->values({.examples = 8, .loss = 4.0}) == std::vector<double>{0.0});
  CHECK(std::isnan(task->values({}).at(0)));
  const MetricValues all = task->all_values({.examples = 8, .loss = 4.0, .values = {6.0}});
  CHECK(all == MetricValues{{"loss", 0.5}, {"accuracy", 0.75}});
  CHECK(std::isnan(value_of(task->all_values({}), "loss")));
}

TEST_CASE("a model has an output for each class, or more where the user says so") {
  const auto task = make_task("classify");
  const data::DatasetInfo info = counting_set(10, 3)->info();
  CHECK(task->outputs(info, 0) == 3);
  CHECK(task->outputs(info, 3) == 3);
  CHECK(task->outputs(info, 100) == 100);
  const std::string message = error_message([&] { task->outputs(info, 2); });
  CHECK(message ==
        "classes: 2 outputs are too few, " + info.name + " has 3 classes; leave --classes out");
}

TEST_CASE("label smoothing changes the loss that is differentiated, not what is counted") {
  testing::LinearNet net(kImage, 3, 5);
  const data::Batch batch = batches_of(counting_set(10, 3), 10).at(0);
  const TaskStep plain = make_task("classify")->forward(net, batch);
  const TaskStep smooth = make_task("classify:label-smoothing=0.5")->forward(net, batch);
  const Tensor& labels = batch.target("label").values;
  const Tensor logits = net.forward(batch.images);
  CHECK(plain.loss.item() == cross_entropy(logits, labels).item());
  CHECK(smooth.loss.item() == cross_entropy(logits, labels, {.label_smoothing = 0.5}).item());
  CHECK(smooth.loss.item() != plain.loss.item());
  CHECK(plain.sums == smooth.sums);
  CHECK(plain.sums.examples == 10);
  CHECK(plain.sums.loss == 0.0);  // the loop adds it
  CHECK(plain.sums.values ==
        std::vector<double>{static_cast<double>(score(logits, labels).correct)});
  CHECK_FALSE(error_message([] { make_task("classify:label-smoothing=1"); }).empty());
}

TEST_CASE("sums of training and of evaluation merge in any grouping of the batches") {
  // In f64, because the rounding of f32 logits depends on the size of a batch.
  testing::LinearNet net(kImage, 3, 5, DType::f64);
  const auto task = make_task("classify");
  const auto set = counting_set(23, 3);
  std::vector<MetricSums> totals;
  const NoGrad no_grad;
  for (const int64_t size : {1, 4, 23}) {
    std::vector<MetricSums> trained;
    std::vector<MetricSums> evaluated;
    for (data::Batch& batch : batches_of(set, size)) {
      batch.images = batch.images.to(DType::f64);
      trained.push_back(task->forward(net, batch).sums);
      const auto evaluator = task->evaluator({.set = set});
      evaluator->add(net, batch);
      evaluated.push_back(evaluator->sums());
      trained.back().loss = evaluated.back().loss;
    }
    totals.push_back(sum_of(trained));
    totals.push_back(sum_of(evaluated));
    // As two replicas would.
    std::vector<MetricSums> halves(2);
    for (size_t i = 0; i < evaluated.size(); ++i) halves[i % 2].add(evaluated[i]);
    totals.push_back(sum_of(halves));
  }
  for (const MetricSums& total : totals) {
    CHECK(total.examples == 23);
    CHECK(total.values == totals[0].values);
    CHECK(total.loss == Approx(totals[0].loss).epsilon(1e-12));
    CHECK(task->values(total) == task->values(totals[0]));
  }
  const MetricValues whole = evaluate(*task, net, set, {.batch = 5}).metrics;
  CHECK(value_of(whole, "accuracy") == task->values(totals[0]).at(0));
  CHECK(value_of(whole, "accuracy") > 0.0);
  CHECK(value_of(whole, "loss") == Approx(totals[0].loss / 23.0).epsilon(1e-12));
}

TEST_CASE("an evaluation shows the confusion matrix, the classes and the pairs") {
  testing::LinearNet net = indifferent(4);
  const auto set = counting_set(10, 3);
  const auto blocks = evaluate(*make_task("classify"), net, set, {.batch = 4}).blocks;
  REQUIRE(blocks.size() == 3);
  const auto& matrix = std::get<Matrix>(blocks[0]);
  CHECK(matrix.title == "Confusion matrix");
  CHECK(matrix.key == "confusion");
  CHECK(matrix.names.at(1) == set->info().classes.at(1));
  CHECK(matrix.names.at(3) == "output 3");  // the data have no such class
  REQUIRE(matrix.counts.size() == 4);
  CHECK(matrix.counts[0] == std::vector<int64_t>{4, 0, 0, 0});
  CHECK(matrix.counts[2] == std::vector<int64_t>{3, 0, 0, 0});
  const auto& classes = std::get<Table>(blocks[1]);
  CHECK(classes.row_names == matrix.names);
  CHECK(classes.is_sorted);
  REQUIRE(classes.columns.size() == 2);
  CHECK(classes.columns[0].values == std::vector<double>{4, 3, 3, 0});
  CHECK(classes.columns[1].key == "per_class");
  CHECK(classes.columns[1].is_share);
  CHECK(classes.columns[1].values.at(0) == 1.0);
  CHECK(classes.columns[1].values.at(1) == 0.0);
  CHECK(std::isnan(classes.columns[1].values.at(3)));  // no image has this label
  const auto& pairs = std::get<Table>(blocks[2]);
  REQUIRE(pairs.row_names.size() == 2);
  CHECK(pairs.row_names[0] == matrix.names[1] + ", " + matrix.names[0]);
  CHECK(pairs.columns.at(0).values == std::vector<double>{3, 3});
  CHECK(pairs.columns.at(1).values == std::vector<double>{0, 0});
}

TEST_CASE("with many classes an evaluation counts by class and keeps no confusion matrix") {
  const auto set = counting_set(10, 3);
  for (const int64_t classes :
       {kMostConfusionClasses, kMostConfusionClasses + 1, int64_t{100'000}}) {
    testing::LinearNet net = indifferent(classes);
    const Evaluation result = evaluate(*make_task("classify"), net, set, {.batch = 4});
    CHECK(value_of(result.metrics, "accuracy") == 0.4);
    const bool kept = classes <= kMostConfusionClasses;
    REQUIRE(result.blocks.size() == (kept ? 3 : 2));
    CHECK(std::get<Matrix>(result.blocks[0]).counts.size() ==
          static_cast<size_t>(kept ? classes : 0));
    const std::vector<double>& shares = std::get<Table>(result.blocks[1]).columns.at(1).values;
    REQUIRE(shares.size() == static_cast<size_t>(classes));
    CHECK(shares[0] == 1.0);
    CHECK(shares[2] == 0.0);
    CHECK(std::isnan(shares[3]));
  }
}

TEST_CASE("the pairs that are confused most often come first, both directions together") {
  const std::vector<std::vector<int64_t>> counts = {{90, 4, 6}, {7, 93, 0}, {2, 1, 97}};
  const std::vector<ConfusedPair> pairs = confused_pairs(counts, 10);
  REQUIRE(pairs.size() == 3);
  CHECK(pairs[0].first == 1);
  CHECK(pairs[0].second == 0);
  CHECK(pairs[0].forth == 7);
  CHECK(pairs[0].back == 4);
  CHECK(pairs[1].total() == 8);
  CHECK(confused_pairs(counts, 1).size() == 1);
  const Table table = pairs_block(counts, {"cat", "dog", "output 2"});
  CHECK(table.row_names == std::vector<std::string>{"dog, cat", "cat, output 2", "output 2, dog"});
  CHECK(table.columns.at(0).values == std::vector<double>{7, 6, 1});
  CHECK(table.columns.at(1).values == std::vector<double>{4, 2, 0});
  const Table none = pairs_block({{5, 0}, {0, 5}}, {"cat", "dog"});
  CHECK(none.row_names.empty());
  CHECK(none.note == "No image was taken for another class.");
  CHECK(pairs_block(std::vector<std::vector<int64_t>>(10, std::vector<int64_t>(10, 1)),
                    std::vector<std::string>(10, "x"))
            .row_names.size() == 8);
}

TEST_CASE("the galleries say what was predicted, what is true and how confident the model was") {
  testing::LinearNet net = indifferent(3);
  net.named_parameters().back().tensor.data<float>()[0] = 2.0F;  // the bias of class 0
  const auto set = counting_set(10, 3);
  const auto blocks = evaluate(*make_task("classify"), net, set, {.samples = 4}).blocks;
  REQUIRE(blocks.size() == 5);
  const auto& errors = std::get<Gallery>(blocks[3]);
  CHECK(errors.title == "Most confident errors");
  CHECK(errors.note == "4 of 6 errors on 10 images, the most confident first.");
  CHECK(indices(errors) == std::vector<int64_t>{1, 2, 4, 5});
  const Gallery::Image& image = errors.images[0];
  const std::vector<std::string>& names = set->info().classes;
  CHECK(image.description == names[1] + ", predicted as " + names[0]);
  CHECK(image.source == "counting.bin, record 1");
  REQUIRE(image.captions.size() == 2);
  const double confidence = std::exp(2.0) / (std::exp(2.0) + 2.0);
  CHECK(image.captions[0].label == "predicted");
  CHECK(image.captions[0].text == names[0]);
  CHECK(image.captions[0].share == Approx(confidence));
  CHECK(image.captions[0].rest == Approx(1.0 - confidence));
  CHECK_FALSE(image.captions[0].is_good);
  CHECK(image.captions[1].label == "true");
  CHECK(image.captions[1].text == names[1]);
  CHECK(image.captions[1].share == Approx((1.0 - confidence) / 2.0));
  CHECK(image.captions[1].is_good);
  REQUIRE(static_cast<int64_t>(image.pixels.size()) == kImage.numel());
  CHECK(image.pixels[7] == testing::CountingDataset::pixel(1, 7));
  const auto& right = std::get<Gallery>(blocks[4]);
  CHECK(right.title == "Most confident right predictions");
  CHECK(right.note == "The most confident one of 1 of 3 classes.");
  CHECK(indices(right) == std::vector<int64_t>{0});
  REQUIRE(right.images[0].captions.size() == 1);
  CHECK(right.images[0].captions[0].text == names[0]);
}

TEST_CASE("without errors, or without right predictions, the galleries say so") {
  testing::LinearNet net = indifferent(3);
  const auto galleries = [&](const std::vector<int64_t>& images) {
    const auto set = data::subset(counting_set(10, 3), images);
    const auto blocks = evaluate(*make_task("classify"), net, set, {.samples = 4}).blocks;
    return std::pair(std::get<Gallery>(blocks.at(3)), std::get<Gallery>(blocks.at(4)));
  };
  const auto all_right = galleries({0, 3, 6, 9});
  CHECK(all_right.first.images.empty());
  CHECK(all_right.first.note == "None: all 4 images were recognised.");
  const auto all_wrong = galleries({1});
  CHECK(all_wrong.first.note == "1 of 1 error on 1 image, the most confident first.");
  CHECK(all_wrong.second.images.empty());
  CHECK(all_wrong.second.note == "None: no image was recognised.");
}

TEST_CASE("an evaluation chooses the same images for any batch and number of workers") {
  const TrainJob job = testing::small_job("");
  const auto chosen = [&](int64_t batch, int workers) {
    const auto blocks = evaluate(*job.task, *job.model, job.test,
                                 {.batch = batch, .workers = workers, .samples = 4})
                            .blocks;
    return std::pair(indices(std::get<Gallery>(blocks.at(3))),
                     indices(std::get<Gallery>(blocks.at(4))));
  };
  const auto first = chosen(20, 0);
  CHECK(first.first.size() == 4);
  for (const int workers : {0, 2}) CHECK(chosen(6, workers) == first);
  CHECK(evaluate(*job.task, *job.model, job.test, {}).blocks.size() == 3);
}

}  // namespace
}  // namespace diagrad::train
