#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/data/dataset.h"
#include "diagrad/train/run/sample_choice.h"

namespace diagrad::nn {
class Module;
}

namespace diagrad::train {

/// What a batch of logits [B,K] (f32 or f64) says beside its labels i64 [B].
struct Score {
  double loss_sum = 0.0;           ///< of -log softmax(logits)[label], in double precision
  int64_t correct = 0;             ///< largest logit at the label; of equal ones the first counts
  std::vector<int64_t> predicted;  ///< [B]
};

/// Throws Error(data) for a label that the model has no output for.
Score score(const Tensor& logits, const Tensor& labels);

struct EvaluateOptions {
  int64_t batch = 256;
  int workers = 0;
  std::string normalization = {};  ///< a preset's name; empty: the data set's own
  bool keep_logits = false;
  int64_t samples = 0;  ///< images of each kind to choose, see SampleChoice
  /// Called before each batch with the examples done and in all; false stops there.
  std::function<bool(int64_t done, int64_t total)> progress = {};
};

/// Beyond so many classes an evaluation keeps no confusion matrix: at 10,000 it takes 800 MB.
constexpr int64_t kMostConfusionClasses = 1000;

struct Evaluation {
  int64_t examples = 0;
  int64_t correct = 0;
  double loss = 0.0;  ///< mean over the examples
  double accuracy = 0.0;
  std::vector<int64_t> images;    ///< [K] how many have each true label
  std::vector<double> per_class;  ///< [K] accuracy by true label; NaN where none has it
  /// [K][K] counts: true label, predicted label; empty for more than kMostConfusionClasses.
  std::vector<std::vector<int64_t>> confusion;
  Tensor logits;         ///< f32 [N,K], with keep_logits
  Tensor labels;         ///< i64 [N], with keep_logits
  SampleChoice samples;  ///< with samples > 0
  bool complete = true;  ///< false: progress stopped it
};

/// That of the parameters; f32 for a model without any.
DType dtype_of(const nn::Module& model);

/// Passes a whole data set through the model in evaluation mode, in the set's order, without a
/// graph; the model's mode is as before at the end.
Evaluation evaluate(nn::Module& model, const data::DatasetPtr& set, const EvaluateOptions& options);

}  // namespace diagrad::train
