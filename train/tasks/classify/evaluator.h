#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diagrad/train/tasks/classify/sample_choice.h"
#include "diagrad/train/tasks/classify/score.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {

/// Beyond so many classes an evaluation keeps no confusion matrix: at 10,000 it takes 800 MB.
constexpr int64_t kMostConfusionClasses = 1000;

/// Counts what each image was taken for. Blocks: the confusion matrix, accuracy by class, the pairs
/// that are confused most often, the most confident errors and right answers.
class ClassifyEvaluator : public Evaluator {
 public:
  explicit ClassifyEvaluator(const EvaluatorOptions& options);

  void add(nn::Module& model, const data::Batch& batch) override;
  const MetricSums& sums() const override { return sums_; }
  std::vector<Block> blocks() const override;
  /// `logits` f32 [N,K] and `labels` i64 [N], in the order of the set.
  std::map<std::string, Tensor> outputs() const override;

 private:
  void count(const Tensor& labels, const Score& part, int64_t classes);
  void keep(const Tensor& logits, const Tensor& labels);
  std::string class_name(size_t label) const;
  std::vector<std::string> class_names() const;
  Matrix confusion_block() const;
  Table class_block() const;
  Gallery errors_block() const;
  Gallery right_block() const;

  EvaluatorOptions options_;
  MetricSums sums_;
  std::vector<int64_t> images_;  ///< [K] how many have each true label
  std::vector<int64_t> hits_;    ///< [K] how many of those were recognised
  /// [K][K] counts: true label, predicted label; empty for more than kMostConfusionClasses.
  std::vector<std::vector<int64_t>> confusion_;
  SampleChooser chooser_;
  Tensor logits_;
  Tensor labels_;
};

}  // namespace diagrad::train
