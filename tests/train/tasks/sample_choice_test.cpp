#include "diagrad/train/tasks/classify/sample_choice.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "diagrad/core/random.h"

namespace diagrad::train {
namespace {

using doctest::Approx;

/// Logits of three classes, a row per image, in batches of `batch`.
SampleChoice choose(const std::vector<float>& logits, const std::vector<int64_t>& labels,
                    int64_t most, int64_t batch = 100) {
  const auto count = static_cast<int64_t>(labels.size());
  const Tensor all = Tensor::from<float>(logits, {count, 3});
  const Tensor truth = Tensor::from<int64_t>(labels, {count});
  SampleChooser chooser(most);
  for (int64_t first = 0; first < count; first += batch) {
    const int64_t size = std::min(batch, count - first);
    std::vector<int64_t> indices(static_cast<size_t>(size));
    std::iota(indices.begin(), indices.end(), first);
    chooser.add(all.strided({size, 3}, {3, 1}, first * 3), truth.strided({size}, {1}, first),
                indices);
  }
  return chooser.choice();
}

std::vector<int64_t> indices(const std::vector<Verdict>& verdicts) {
  std::vector<int64_t> list;
  for (const Verdict& verdict : verdicts) list.push_back(verdict.index);
  return list;
}

TEST_CASE("the most confident errors and right predictions of each class are chosen") {
  const std::vector<float> logits = {1, 0, 0,   // 0: right, 0
                                     3, 0, 0,   // 1: wrong, sure
                                     2, 0, 0,   // 2: right, 0, surer than 0
                                     0, 5, 0,   // 3: wrong, most confident
                                     0, 0, 1,   // 4: wrong
                                     0, 4, 0};  // 5: right, 1
  const std::vector<int64_t> labels = {0, 1, 0, 2, 0, 1};
  const SampleChoice all = choose(logits, labels, 12);
  CHECK(indices(all.wrong) == std::vector<int64_t>{3, 1, 4});
  CHECK(indices(all.right) == std::vector<int64_t>{2, 5});
  const Verdict& most_confident = all.wrong[0];
  CHECK(most_confident.label == 2);
  CHECK(most_confident.predicted == 1);
  CHECK(most_confident.probability == Approx(std::exp(5.0) / (std::exp(5.0) + 2.0)).epsilon(1e-12));
  CHECK(most_confident.label_probability == Approx(1.0 / (std::exp(5.0) + 2.0)).epsilon(1e-12));
  CHECK(most_confident.doubt == Approx(2.0 / (std::exp(5.0) + 2.0)).epsilon(1e-12));
  CHECK(indices(choose(logits, labels, 2).wrong) == std::vector<int64_t>{3, 1});
  CHECK(choose(logits, labels, 0).wrong.empty());
}

TEST_CASE("with few places the right answers are of the classes that mistakes are about") {
  const std::vector<float> logits = {9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 5};
  const SampleChoice choice = choose(logits, {0, 1, 2, 1}, 2);
  CHECK(indices(choice.wrong) == std::vector<int64_t>{3});
  CHECK(indices(choice.right) == std::vector<int64_t>{1, 2});  // in order of the labels
}

TEST_CASE("of equally sure answers the image that comes first in the set counts") {
  const std::vector<float> logits = {0, 2, 0, 0, 2, 0, 0, 2, 0, 1, 0, 0, 1, 0, 0, 2, 2, 0};
  const SampleChoice choice = choose(logits, {0, 0, 2, 0, 0, 1}, 2);
  CHECK(indices(choice.wrong) == std::vector<int64_t>{0, 1});
  CHECK(indices(choice.right) == std::vector<int64_t>{3});
  // Of equal logits the first counts, as in the accuracy: image 5 is taken for class 0.
  CHECK(indices(choose(logits, {1, 1, 1, 0, 0, 1}, 2).wrong) == std::vector<int64_t>{5});
}

TEST_CASE("certainties that round to one keep their order") {
  const SampleChoice choice = choose({50, 0, 0, 90, 0, 0, 70, 0, 0}, {1, 1, 1}, 3);
  CHECK(indices(choice.wrong) == std::vector<int64_t>{1, 2, 0});
  CHECK(choice.wrong[2].probability == 1.0);
  CHECK(choice.wrong[2].doubt == Approx(2.0 * std::exp(-50.0)));
  const SampleChoice large = choose({1e30F, -1e30F, 0}, {1}, 3);
  CHECK(large.wrong[0].label_probability == 0.0);
}

TEST_CASE("images with logits that are not finite are passed over") {
  const float bad = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const SampleChoice choice =
      choose({bad, bad, bad, inf, 0, 0, 1, 0, bad, 0, 1, 0}, {0, 1, 0, 0}, 3);
  CHECK(indices(choice.wrong) == std::vector<int64_t>{3});
  CHECK(choice.right.empty());
  CHECK(SampleChooser(3).choice().wrong.empty());
}

TEST_CASE("the choice does not depend on batches, and agrees with sorting everything") {
  constexpr int64_t kCount = 200;
  RandomStream random(3, stream_id("sample choice"));
  const Tensor drawn = normal({kCount, 3}, 0.0, 2.0, random);
  std::vector<float> logits(drawn.data<float>(), drawn.data<float>() + drawn.numel());
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kCount; ++i) labels.push_back(i * 7 % 3);
  const SampleChoice choice = choose(logits, labels, 10);
  for (const int64_t batch : {1, 7, 64}) {
    CHECK(indices(choose(logits, labels, 10, batch).wrong) == indices(choice.wrong));
    CHECK(indices(choose(logits, labels, 10, batch).right) == indices(choice.right));
  }
  std::vector<Verdict> all = choose(logits, labels, kCount).wrong;
  CHECK(all.size() > 100);
  CHECK(std::is_sorted(all.begin(), all.end(), [](const Verdict& a, const Verdict& b) {
    return a.probability > b.probability;
  }));
  all.resize(10);
  CHECK(indices(all) == indices(choice.wrong));
}

}  // namespace
}  // namespace diagrad::train
