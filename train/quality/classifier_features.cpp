#include "diagrad/train/quality/classifier_features.h"

#include <fmt/format.h>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/data/loader.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/job.h"

namespace diagrad::train {
namespace {

Tensor identity(int64_t size, DType dtype) {
  const Tensor matrix = Tensor::zeros({size, size}, DType::f64);
  for (int64_t i = 0; i < size; ++i) matrix.data<double>()[i * size + i] = 1.0;
  return matrix.to(dtype);
}

/// The head of the model [K,d], as its state dict has it.
Tensor head_weight(const TrainedModel& trained, const TensorMap& state, std::string& name) {
  const models::ModelInfo* info = models::find_if_registered(trained.info.options.model);
  if (info != nullptr && info->output == models::Output::logits && !info->head.empty()) {
    name = info->head + ".weight";
    const auto found = state.find(name);
    if (found != state.end() && found->second.rank() == 2) return found->second;
  }
  fail(ErrorKind::checkpoint,
       "frechet: {}: {} is no classifier with a linear last layer; name a run of task classify",
       trained.path, trained.info.options.model);
}

}  // namespace

ClassifierFeatures::ClassifierFeatures(const TrainedModel& classifier)
    : image_(classifier.info.data.input), normalization_(classifier.info.options.normalization) {
  TensorMap state = classifier.model->state_dict();
  hash_ = fmt::format("{:016x}", checksum(state, {}));
  std::string weight_name;
  const Tensor weight = head_weight(classifier, state, weight_name);
  width_ = weight.size(1);
  // The same net with the identity for its last layer: its logits are what that layer is given.
  model_ = make_model(classifier.info.options, image_, width_);
  model_->to(weight.dtype());
  state[weight_name] = identity(width_, weight.dtype());
  const std::string bias_name =
      weight_name.substr(0, weight_name.size() - std::string("weight").size()) + "bias";
  if (state.count(bias_name) == 1) state[bias_name] = Tensor::zeros({width_}, weight.dtype());
  restore(model_->state_dict(), state, classifier.path);
  model_->eval();
}

Tensor ClassifierFeatures::features(const Tensor& images) {
  const NoGrad no_grad;
  return model_->call({.image = images.to(dtype_of(*model_))});
}

Moments feature_moments(ClassifierFeatures& classifier, const data::DatasetPtr& set,
                        const FeatureOptions& options) {
  if (set->info().image != classifier.image()) {
    fail(ErrorKind::data,
         "frechet: images of {} are {}, the classifier was trained on {}; images are not resized, "
         "use a classifier for images of that size",
         set->info().name, set->info().image.str(), classifier.image().str());
  }
  data::Loader loader(set, {.batch = options.batch,
                            .workers = options.workers,
                            .normalization = classifier.normalization()});
  Moments moments(classifier.width());
  loader.start(0);
  for (data::Batch batch; loader.next(batch);) {
    if (options.progress) options.progress(moments.count(), set->size());
    moments.add(classifier.features(batch.images));
  }
  return moments;
}

}  // namespace diagrad::train
