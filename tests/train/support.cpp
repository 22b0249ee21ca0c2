#include "tests/train/support.h"

#include <sstream>

#include "diagrad/core/random.h"
#include "diagrad/data/shapes.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/pool.h"

namespace diagrad::testing {

LinearNet::LinearNet(const Shape& image, int64_t classes, uint64_t seed, DType dtype) {
  RandomStream random(seed, stream_id("linear net"));
  weight_ = add_parameter("weight", normal({classes, image.numel()}, 0.0, 0.01, random, dtype));
  bias_ = add_parameter("bias", Tensor::zeros({classes}, dtype));
}

Tensor LinearNet::forward(const Tensor& images) {
  const int64_t batch = images.size(0);
  const int64_t pixels = images.numel() / batch;
  return linear(images.contiguous().strided({batch, pixels}, {pixels, 1}), weight_, bias_);
}

ConvNet::ConvNet(const Shape& image, int64_t classes, uint64_t seed) {
  constexpr int64_t kWidth = 12;
  RandomStream random(seed, stream_id("conv net"));
  filter_ = add_parameter("filter", normal({kWidth, 3, 3, image[2]}, 0.0, 0.2, random));
  gamma_ = add_parameter("gamma", Tensor::ones({kWidth}));
  beta_ = add_parameter("beta", Tensor::zeros({kWidth}));
  mean_ = add_buffer("running_mean", Tensor::zeros({kWidth}));
  variance_ = add_buffer("running_var", Tensor::ones({kWidth}));
  weight_ = add_parameter("weight", normal({classes, kWidth}, 0.0, 0.3, random));
}

Tensor ConvNet::forward(const Tensor& images) {
  Tensor x = conv2d(images, filter_, {.padding = 1});
  x = batch_norm_relu(x, gamma_, beta_, mean_, variance_, {.training = is_training()});
  if (is_training()) {
    const nn::RandomScope::Draw draw = nn::RandomScope::next();
    x = dropout(x, {.p = 0.2, .seed = draw.seed, .stream = draw.stream});
  }
  return linear(global_avg_pool(x), weight_);
}

train::TrainJob small_job(const std::string& out) {
  const data::DatasetSplits pair = data::make_shapes({.size = 16, .train = 36, .test = 20});
  train::TrainJob job;
  job.options.model = "linear";
  job.options.attention = "none";
  job.options.classes = 10;
  job.options.batch = 8;
  job.options.epochs = 2;
  job.options.lr = 0.01;
  job.options.normalization = pair.train->info().normalization;
  job.options.workers = 0;
  job.options.out = out;
  job.task = train::make_task(job.options.task);
  job.model = std::make_shared<LinearNet>(pair.train->info().image, 10, 1);
  job.train = pair.train;
  job.test = pair.test;
  return job;
}

std::string events_of(const std::string& run) {
  std::istringstream stream(text_of(run + "/events.jsonl"));
  std::string result;
  for (std::string line; std::getline(stream, line);) {
    result += line.substr(0, line.find(",\"seconds\"")) + "\n";
  }
  return result;
}

}  // namespace diagrad::testing
