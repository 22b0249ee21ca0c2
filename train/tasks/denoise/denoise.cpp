#include "diagrad/train/tasks/denoise/denoise.h"

#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/tasks/denoise/bits_per_dimension.h"
#include "diagrad/train/tasks/denoise/evaluator.h"
#include "diagrad/train/tasks/denoise/generator.h"

namespace diagrad::train {

Denoise::Denoise(Diffusion diffusion, const DenoiseGrid& grid)
    : diffusion_(std::move(diffusion)), grid_(grid) {
  const int64_t steps = diffusion_.schedule.steps();
  DG_CHECK(grid.times <= steps, "task: grid-times={} of 'denoise' are more than steps={}",
           grid.times, steps);
}

const std::vector<Metric>& Denoise::metrics() const {
  static const std::vector<Metric> none;
  return none;
}

std::vector<double> Denoise::values(const MetricSums& /*sums*/) const {
  return {};
}

int64_t Denoise::outputs(const data::DatasetInfo& info, int64_t classes) const {
  const int64_t channels = info.image.back();
  DG_CHECK(classes == 0 || classes == channels,
           "classes: {} outputs, but task denoise trains a net that gives images; leave --classes "
           "out; to condition on classes, say --model-opt classes={}",
           classes, classes);
  return channels;
}

Tensor Denoise::call(nn::Module& model, const data::Batch& batch) const {
  const int64_t middle = diffusion_.schedule.steps() / 2;
  nn::Inputs inputs{
      .image = batch.images,
      .time = Tensor::full({batch.size()}, static_cast<double>(middle), batch.images.dtype())};
  if (model.class_count() > 0) {
    inputs.class_label =
        Tensor::full({batch.size()}, static_cast<double>(model.class_count()), DType::i64);
  }
  return model.call(inputs);
}

TaskStep Denoise::forward(nn::Module& model, const data::Batch& batch) const {
  const TrainingDraw draw = draw_training(batch.images, diffusion_.schedule.steps());
  Tensor classes = class_labels(model, batch);
  if (classes.defined()) classes = drop_labels(model, classes, diffusion_.label_dropout);
  const NoisyImages noisy = add_noise(diffusion_, batch.images, draw.steps, draw.noise);
  const Tensor output = model.call({.image = noisy.x, .time = noisy.time, .class_label = classes});
  TaskStep step;
  step.loss = weighted_mse(diffusion_, output, noisy.target, draw.steps);
  step.sums.examples = batch.size();
  return step;
}

std::unique_ptr<Evaluator> Denoise::evaluator(const EvaluatorOptions& options) const {
  return std::make_unique<DenoiseEvaluator>(diffusion_, grid_, options);
}

std::unique_ptr<Generator> Denoise::generator(nn::Module& model,
                                              const GeneratorOptions& options) const {
  return std::make_unique<DenoiseGenerator>(model, diffusion_, options);
}

namespace {

std::vector<Option> all_options() {
  std::vector<Option> all = diffusion_options();
  all.push_back(int_option("grid-images", 256, 1, 1'000'000, "images that an evaluation takes"));
  all.push_back(int_option("grid-times", 10, 1, 1'000'000, "steps at which it takes each"));
  all.push_back(int_option("preview-steps", 50, 0, 1'000'000,
                           "steps of DDIM for the images in the report; 0: none"));
  return all;
}

std::vector<TaskRegistry::Entry> listed_samplers() {
  std::vector<TaskRegistry::Entry> all;
  for (const SamplerInfo& info : samplers()) {
    all.push_back({info.name, info.help, info.citation, info.options});
  }
  return all;
}

[[maybe_unused]] const bool registered = register_task(
    {.name = "denoise",
     .help = "image generation by diffusion: the target of a noisy image, by the mean "
             "squared error",
     .options = all_options(),
     .call = models::CallForm::image_time,
     .output = models::Output::image,
     .normalization = kDenoiseNormalization,
     .augment = {"flip"},
     .can_generate = true,
     .generator_options = denoise_generator_options(),
     .registries = {{.option = "sampler",
                     .plural = "samplers",
                     .help = "list the samplers of `sample`",
                     .entries = listed_samplers}},
     .measures = {bits_per_dimension_measure()},
     .make = [](const OptionValues& options) -> std::shared_ptr<const Task> {
       return std::make_shared<Denoise>(
           make_diffusion(options), DenoiseGrid{.images = options.get_int("grid-images"),
                                                .times = options.get_int("grid-times"),
                                                .preview_steps = options.get_int("preview-steps")});
     }});

}  // namespace
}  // namespace diagrad::train
