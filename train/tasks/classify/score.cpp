#include "diagrad/train/tasks/classify/score.h"

#include <algorithm>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/ops/reduce.h"

namespace diagrad::train {
namespace {

/// log(sum(exp(row))) - row[label]
double cross_entropy_of(const double* row, int64_t classes, int64_t label) {
  const double largest = *std::max_element(row, row + classes);
  double sum = 0.0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - largest);
  return std::log(sum) + largest - row[label];
}

}  // namespace

Score score(const Tensor& logits, const Tensor& labels) {
  DG_CHECK(logits.rank() == 2 && labels.rank() == 1 && logits.size(0) == labels.size(0) &&
               logits.size(1) > 0,
           "score: logits {} and labels {}, expected [B,K] and [B]", logits.shape(),
           labels.shape());
  const int64_t classes = logits.size(1);
  const Tensor values = logits.to(DType::f64).contiguous();
  const auto* truth = labels.data<int64_t>();
  Score result;
  for (int64_t b = 0; b < labels.numel(); ++b) {
    const double* row = values.data<double>() + b * classes;
    if (truth[b] < 0 || truth[b] >= classes) {
      fail(ErrorKind::data, "score: label {}, but the model has outputs 0 to {}; set --classes",
           truth[b], classes - 1);
    }
    result.predicted.push_back(std::max_element(row, row + classes) - row);
    result.correct += result.predicted.back() == truth[b] ? 1 : 0;
    result.loss_sum += cross_entropy_of(row, classes, truth[b]);
  }
  return result;
}

int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  const Tensor predicted = argmax(logits.detach(), 1);
  const auto* truth = labels.data<int64_t>();
  const auto* said = predicted.data<int64_t>();
  int64_t correct = 0;
  for (int64_t b = 0; b < labels.numel(); ++b) correct += said[b] == truth[b] ? 1 : 0;
  return correct;
}

}  // namespace diagrad::train
