#include "tests/train/support.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include "diagrad/core/random.h"
#include "diagrad/data/shapes.h"
#include "diagrad/ops/linear.h"

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

train::TrainJob small_job(const std::string& out) {
  const data::DatasetPair pair = data::make_shapes({.size = 16, .train = 36, .test = 20});
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
  job.model = std::make_shared<LinearNet>(pair.train->info().image, 10, 1);
  job.train = pair.train;
  job.test = pair.test;
  return job;
}

std::string text_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
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
