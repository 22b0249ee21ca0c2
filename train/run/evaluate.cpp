#include "diagrad/train/run/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/data/loader.h"
#include "diagrad/nn/mode_scope.h"

namespace diagrad::train {
namespace {

/// log(sum(exp(row))) - row[label]
double cross_entropy_of(const double* row, int64_t classes, int64_t label) {
  const double largest = *std::max_element(row, row + classes);
  double sum = 0.0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - largest);
  return std::log(sum) + largest - row[label];
}

/// Counts what each image was taken for.
class Counter {
 public:
  explicit Counter(Evaluation& result) : result_(result) {}

  void add(const Tensor& labels, const Score& part, int64_t classes) {
    if (hits_.empty()) begin(classes);
    result_.examples += labels.numel();
    result_.correct += part.correct;
    for (int64_t b = 0; b < labels.numel(); ++b) {
      const auto truth = static_cast<size_t>(labels.data<int64_t>()[b]);
      const auto predicted = static_cast<size_t>(part.predicted[static_cast<size_t>(b)]);
      ++result_.images[truth];
      if (truth == predicted) ++hits_[truth];
      if (!result_.confusion.empty()) ++result_.confusion[truth][predicted];
    }
  }

  void finish() {
    for (size_t k = 0; k < hits_.size(); ++k) {
      const int64_t count = result_.images[k];
      result_.per_class.push_back(count > 0
                                      ? static_cast<double>(hits_[k]) / static_cast<double>(count)
                                      : std::numeric_limits<double>::quiet_NaN());
    }
    const auto examples = static_cast<double>(std::max<int64_t>(result_.examples, 1));
    result_.accuracy = static_cast<double>(result_.correct) / examples;
  }

 private:
  void begin(int64_t classes) {
    const auto size = static_cast<size_t>(classes);
    hits_.resize(size);
    result_.images.resize(size);
    if (classes <= kMostConfusionClasses) {
      result_.confusion.assign(size, std::vector<int64_t>(size));
    }
  }

  Evaluation& result_;
  std::vector<int64_t> hits_;
};

void keep(Evaluation& result, int64_t total, const Tensor& logits, const Tensor& labels) {
  const int64_t classes = logits.size(1);
  if (!result.logits.defined()) {
    result.logits = Tensor::empty({total, classes});
    result.labels = Tensor::empty({total}, DType::i64);
  }
  const int64_t count = labels.numel();
  result.logits.strided({count, classes}, {classes, 1}, result.examples * classes)
      .copy_(logits.detach());
  result.labels.strided({count}, {1}, result.examples).copy_(labels);
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

DType dtype_of(const nn::Module& model) {
  const auto parameters = model.named_parameters();
  return parameters.empty() ? DType::f32 : parameters.front().tensor.dtype();
}

Evaluation evaluate(nn::Module& model, const data::DatasetPtr& set,
                    const EvaluateOptions& options) {
  data::Loader loader(
      set,
      {.batch = options.batch, .workers = options.workers, .normalization = options.normalization});
  const NoGrad no_grad;
  const nn::ModeScope modes(model);
  model.eval();
  const DType dtype = dtype_of(model);
  Evaluation result;
  Counter counter(result);
  SampleChooser samples(options.samples);
  double loss_sum = 0.0;
  loader.start(0);
  for (data::Batch batch; loader.next(batch);) {
    if (options.progress && !options.progress(result.examples, set->size())) {
      result.complete = false;
      break;
    }
    const Tensor labels = batch.target("label").values;
    const Tensor logits = model.forward(batch.images.to(dtype));
    const Score part = score(logits, labels);
    if (options.keep_logits) keep(result, set->size(), logits, labels);
    if (options.samples > 0) samples.add(logits, labels, batch.indices);
    loss_sum += part.loss_sum;
    counter.add(labels, part, logits.size(1));
  }
  result.samples = samples.choice();
  result.loss = loss_sum / static_cast<double>(std::max<int64_t>(result.examples, 1));
  counter.finish();
  return result;
}

}  // namespace diagrad::train
