#include "diagrad/train/run/evaluate.h"

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/data/loader.h"
#include "diagrad/nn/mode_scope.h"
#include "diagrad/nn/module.h"

namespace diagrad::train {

DType dtype_of(const nn::Module& model) {
  const auto parameters = model.named_parameters();
  return parameters.empty() ? DType::f32 : parameters.front().tensor.dtype();
}

Evaluation evaluate(const Task& task, nn::Module& model, const data::DatasetPtr& set,
                    const EvaluateOptions& options) {
  data::LoaderOptions loading;
  loading.batch = options.batch;
  loading.workers = options.workers;
  loading.normalization = options.normalization;
  data::Loader loader(set, loading);
  const NoGrad no_grad;
  const nn::ModeScope modes(model);
  model.eval();
  const DType dtype = dtype_of(model);
  const auto evaluator = task.evaluator(
      {.set = set, .samples = options.samples, .keep_outputs = options.keep_outputs});
  Evaluation result;
  loader.start(0);
  for (data::Batch batch; loader.next(batch);) {
    if (options.progress && !options.progress(evaluator->sums().examples, set->size())) {
      result.complete = false;
      break;
    }
    batch.images = batch.images.to(dtype);
    evaluator->add(model, batch);
  }
  result.examples = evaluator->sums().examples;
  result.metrics = task.all_values(evaluator->sums());
  if (!result.complete) return result;
  result.blocks = evaluator->blocks();
  result.details = keyed_json(result.blocks);
  result.outputs = evaluator->outputs();
  return result;
}

}  // namespace diagrad::train
