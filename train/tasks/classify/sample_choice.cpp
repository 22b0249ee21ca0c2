#include "diagrad/train/tasks/classify/sample_choice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

/// A total order, so that nothing depends on who came first.
bool more_confident(const Verdict& a, const Verdict& b) {
  return std::tie(a.doubt, a.label_probability, a.index) <
         std::tie(b.doubt, b.label_probability, b.index);
}

Verdict judge(const double* row, int64_t classes, int64_t label, int64_t index) {
  const double* largest = std::max_element(row, row + classes);
  double rest = 0.0;  // the sum of exp(logit - largest) without the largest itself
  for (const double* logit = row; logit != row + classes; ++logit) {
    if (logit != largest) rest += std::exp(*logit - *largest);
  }
  Verdict verdict;
  verdict.index = index;
  verdict.label = label;
  verdict.predicted = largest - row;
  verdict.probability = 1.0 / (1.0 + rest);
  verdict.label_probability = std::exp(row[label] - *largest) / (1.0 + rest);
  verdict.doubt = rest / (1.0 + rest);
  return verdict;
}

bool all_finite(const double* row, int64_t classes) {
  return std::all_of(row, row + classes, [](double logit) { return std::isfinite(logit); });
}

}  // namespace

void SampleChooser::add(const Tensor& logits, const Tensor& labels,
                        std::span<const int64_t> indices) {
  const int64_t classes = logits.size(1);
  DG_ASSERT(std::ssize(indices) == labels.numel() && logits.size(0) == labels.numel(),
            "logits {}, {} labels, {} indices", logits.shape(), labels.numel(), indices.size());
  right_.resize(std::max(right_.size(), static_cast<size_t>(classes)));
  const Tensor values = logits.to(DType::f64).contiguous();
  for (int64_t b = 0; b < labels.numel(); ++b) {
    const double* row = values.data<double>() + b * classes;
    if (!all_finite(row, classes)) continue;
    add(judge(row, classes, labels.data<int64_t>()[b], indices[static_cast<size_t>(b)]));
  }
}

void SampleChooser::add(const Verdict& verdict) {
  if (verdict.predicted == verdict.label) {
    auto& best = right_[static_cast<size_t>(verdict.label)];
    if (!best || more_confident(verdict, *best)) best = verdict;
    return;
  }
  wrong_.insert(std::upper_bound(wrong_.begin(), wrong_.end(), verdict, more_confident), verdict);
  if (wrong_.size() > most_) wrong_.pop_back();
}

SampleChoice SampleChooser::choice() const {
  SampleChoice result;
  result.wrong = wrong_;
  auto left = right_;
  const auto take = [&](size_t label) {
    if (result.right.size() == most_ || !left[label]) return;
    result.right.push_back(*left[label]);
    left[label].reset();
  };
  for (const Verdict& mistake : wrong_) {
    take(static_cast<size_t>(mistake.predicted));
    take(static_cast<size_t>(mistake.label));
  }
  for (size_t label = 0; label < left.size(); ++label) take(label);
  std::sort(result.right.begin(), result.right.end(),
            [](const Verdict& a, const Verdict& b) { return a.label < b.label; });
  return result;
}

}  // namespace diagrad::train
