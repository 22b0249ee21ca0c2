#include "diagrad/train/quality/classifier_features.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/data/loader.h"
#include "diagrad/data/shapes.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/linear.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using testing::error_message;
using testing::Recorder;
using testing::TemporaryFolder;

Options options_for(const std::string& model, std::vector<std::string> options,
                    const std::string& out) {
  Options all;
  all.model = model;
  all.model_opt = std::move(options);
  all.data = "shapes:size=16,train=24,test=16";
  all.batch = 8;
  all.epochs = 1;
  all.workers = 0;
  all.out = out;
  return all;
}

TrainedModel trained(const Options& options) {
  Recorder recorder;
  train(make_job(options), recorder);
  return load_trained(options.out);
}

TEST_CASE("features are what the last layer of a classifier is given") {
  const TemporaryFolder folder;
  struct Net {
    const char* model;
    std::vector<std::string> options;
    int64_t width;
  };
  for (const Net& net : {Net{"resnet8", {"width=4"}, 16},
                         Net{"vit", {"patch=4", "dim=24", "depth=1", "heads=2"}, 24}}) {
    CAPTURE(net.model);
    const TrainedModel classifier =
        trained(options_for(net.model, net.options, folder.path(net.model)));
    const NoGrad no_grad;
    ClassifierFeatures features(classifier);
    CHECK(features.width() == net.width);
    CHECK(features.hash().size() == 16);
    CHECK(features.hash() == ClassifierFeatures(classifier).hash());
    CHECK(features.image() == Shape{16, 16, 3});
    CHECK(features.normalization() == "half");
    const auto set = data::make_shapes({.size = 16, .train = 8, .test = 10}).test;
    data::Loader loader(set, {.batch = 10, .normalization = "half"});
    loader.start(0);
    data::Batch batch;
    REQUIRE(loader.next(batch));
    const Tensor given = features.features(batch.images);
    REQUIRE(given.shape() == Shape{10, net.width});
    const auto state = classifier.model->state_dict();
    const std::string head = state.count("fc.weight") == 1 ? "fc" : "head";
    const Tensor logits = linear(given, state.at(head + ".weight"), state.at(head + ".bias"));
    const Tensor expected = classifier.model->call({.image = batch.images});
    for (int64_t i = 0; i < logits.numel(); ++i) {
      CHECK(std::abs(logits.data<float>()[i] - expected.data<float>()[i]) < 1e-4F);
    }
    const Moments moments = feature_moments(features, set, {.batch = 4});
    CHECK(moments.count() == 10);
    double mean = 0.0;
    for (int64_t b = 0; b < 10; ++b) mean += given.data<float>()[b * net.width] / 10.0;
    CHECK(moments.mean()[0] == doctest::Approx(mean).epsilon(1e-5));
    const auto larger = data::make_shapes({.size = 20, .train = 8, .test = 10}).test;
    CHECK(error_message([&] { feature_moments(features, larger, {}); }) ==
          "frechet: images of shapes are [20,20,3], the classifier was trained on [16,16,3]; "
          "images are not resized, use a classifier for images of that size");
  }
}

TEST_CASE("a net that gives images is no classifier") {
  const TemporaryFolder folder;
  Options options = options_for("timed-conv", {}, folder.path("run"));
  options.task = "denoise:steps=10,grid-times=2,grid-images=4";
  options.attention = "none";
  const TrainedModel net = trained(options);
  CHECK(error_message([&] {
          ClassifierFeatures features(net);
        }).find("timed-conv is no classifier with a linear last layer") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::train
