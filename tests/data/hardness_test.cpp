#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/data/shapes.h"
#include "tests/data/support.h"

namespace diagrad {
namespace {

constexpr int64_t kInputs = 32 * 32 * 3;
constexpr int64_t kClasses = 10;
constexpr int64_t kTrain = 4000;
constexpr int64_t kTest = 1000;

/// Pixels in [-1, 1] of a whole set, one row an image.
struct Matrix {
  std::vector<float> values;
  std::vector<int64_t> labels;
  const float* row(int64_t i) const { return values.data() + i * kInputs; }
};

Matrix load(const data::DatasetPtr& dataset) {
  Matrix matrix;
  matrix.values.resize(static_cast<size_t>(dataset->size() * kInputs));
  data::Sample sample;
  for (int64_t i = 0; i < dataset->size(); ++i) {
    dataset->read(i, sample);
    matrix.labels.push_back(testing::label_of(sample));
    for (int64_t j = 0; j < kInputs; ++j) {
      matrix.values[static_cast<size_t>(i * kInputs + j)] =
          static_cast<float>(sample.pixels[static_cast<size_t>(j)]) / 127.5F - 1.0F;
    }
  }
  return matrix;
}

/// Softmax regression on pixels by plain SGD.
class LinearClassifier {
 public:
  LinearClassifier() : weights_(static_cast<size_t>(kInputs * kClasses), 0.0F) {}

  std::array<float, kClasses> scores(const float* x) const {
    std::array<float, kClasses> sums = biases_;
    const float* w = weights_.data();
    for (int64_t j = 0; j < kInputs; ++j, w += kClasses) {
      for (size_t k = 0; k < kClasses; ++k) sums[k] += x[j] * w[k];
    }
    return sums;
  }

  void learn(const float* x, int64_t label, float rate) {
    std::array<float, kClasses> step = scores(x);
    const float largest = *std::max_element(step.begin(), step.end());
    float sum = 0.0F;
    for (float& value : step) sum += value = std::exp(value - largest);
    for (float& value : step) value *= -rate / sum;
    step[static_cast<size_t>(label)] += rate;
    for (size_t k = 0; k < kClasses; ++k) biases_[k] += step[k];
    float* w = weights_.data();
    for (int64_t j = 0; j < kInputs; ++j, w += kClasses) {
      for (size_t k = 0; k < kClasses; ++k) w[k] += step[k] * x[j];
    }
  }

  double accuracy(const Matrix& matrix) const {
    int64_t right = 0;
    for (size_t i = 0; i < matrix.labels.size(); ++i) {
      const auto sums = scores(matrix.row(static_cast<int64_t>(i)));
      const auto best = std::max_element(sums.begin(), sums.end()) - sums.begin();
      right += best == matrix.labels[i] ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(matrix.labels.size());
  }

 private:
  std::vector<float> weights_;  ///< [inputs, classes]
  std::array<float, kClasses> biases_{};
};

/// Most frequent label among the five nearest training images, the nearest deciding ties.
int64_t five_nearest(const Matrix& train, const float* x) {
  std::array<std::pair<float, int64_t>, 5> nearest;
  nearest.fill({1e30F, 0});
  for (int64_t i = 0; i < kTrain; ++i) {
    const float* y = train.row(i);
    std::array<float, 8> sums{};
    for (int64_t j = 0; j < kInputs; j += 8) {
      for (size_t k = 0; k < 8; ++k) {
        const float difference = x[j + static_cast<int64_t>(k)] - y[j + static_cast<int64_t>(k)];
        sums[k] += difference * difference;
      }
    }
    float distance = 0.0F;
    for (const float sum : sums) distance += sum;
    if (distance >= nearest.back().first) continue;
    nearest.back() = {distance, train.labels[static_cast<size_t>(i)]};
    std::sort(nearest.begin(), nearest.end());
  }
  std::array<int64_t, kClasses> votes{};
  for (const auto& entry : nearest) ++votes[static_cast<size_t>(entry.second)];
  const int64_t most = *std::max_element(votes.begin(), votes.end());
  for (const auto& entry : nearest) {
    if (votes[static_cast<size_t>(entry.second)] == most) return entry.second;
  }
  return -1;
}

TEST_CASE("shapes cannot be told apart by single pixels or by similar images") {
  const data::DatasetSplits pair = data::make_shapes({.train = kTrain, .test = kTest});
  const Matrix train = load(pair.train);
  const Matrix test = load(pair.test);

  LinearClassifier classifier;
  double linear = 0.0;  // the best over the epochs: all that is to be said for it
  for (uint64_t epoch = 0; epoch < 10; ++epoch) {
    RandomStream random(1, stream_id("hardness", epoch));
    const float rate = 0.001F / (1.0F + 0.3F * static_cast<float>(epoch));
    for (const int64_t i : permutation(kTrain, random)) {
      classifier.learn(train.row(i), train.labels[static_cast<size_t>(i)], rate);
    }
    linear = std::max(linear, classifier.accuracy(test));
  }
  CHECK(classifier.accuracy(train) > 0.3);  // it does learn what it can
  MESSAGE("linear classifier: " << linear << " of the test images");
  CHECK(linear < 0.40);

  std::vector<int64_t> right(kTest, 0);
  constexpr int64_t kAsked = kTest / 2;
  parallel_for(kAsked, 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto at = static_cast<size_t>(i);
      right[at] = five_nearest(train, test.row(i)) == test.labels[at] ? 1 : 0;
    }
  });
  const double neighbours = static_cast<double>(std::count(right.begin(), right.end(), 1)) / kAsked;
  MESSAGE("five nearest neighbours: " << neighbours << " of the test images");
  CHECK(neighbours < 0.60);
}

}  // namespace
}  // namespace diagrad
