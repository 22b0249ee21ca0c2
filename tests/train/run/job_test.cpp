#include "diagrad/train/run/job.h"

#include <doctest/doctest.h>

#include "diagrad/core/error.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using testing::error_message;
using testing::Recorder;
using testing::TemporaryFolder;

/// A job for a linear classifier on the pixels.
TrainJob linear_job(const Options& options) {
  return make_job(options, [](const Options& o, const Shape& input, int64_t classes) {
    return std::make_shared<testing::LinearNet>(input, classes, static_cast<uint64_t>(o.seed));
  });
}

Options tiny() {
  Options options;
  options.model = "linear";
  options.data = "shapes:size=16,train=60,test=20";
  options.batch = 16;
  return options;
}

/// What make_job says after one change.
template <typename Change>
std::string complaint(Change change) {
  Options options = tiny();
  change(options);
  return error_message([&] { linear_job(options); });
}

TEST_CASE("a job has what its options leave open") {
  const TrainJob job = linear_job(tiny());
  CHECK(job.options.classes == 10);
  CHECK(job.options.lr == 0.1);
  CHECK(job.options.normalization == job.train->info().normalization);
  CHECK(job.train->size() == 60);
  CHECK(job.test->size() == 20);
  CHECK(job.eval_name() == "test");
  CHECK(job.eval_set() == job.test);

  Options options = tiny();
  options.val_split = 10;
  options.precision = "f64";
  options.classes = 12;
  const TrainJob split = linear_job(options);
  CHECK(split.train->size() == 50);
  CHECK(split.validation->size() == 10);
  CHECK(split.eval_name() == "validation");
  CHECK(dtype_of(*split.model) == DType::f64);
  CHECK(split.model->state_dict().at("bias").shape() == Shape{12});
}

TEST_CASE("options that fit no data, model or device are refused in one line") {
  CHECK(complaint([](Options& o) { o.classes = 5; }) ==
        "classes: 5 outputs are too few, shapes has 10 classes; leave --classes out");
  const auto model_complaint = [](const std::vector<std::string>& model_opt) {
    Options options = tiny();
    options.model = "resnet21";
    options.model_opt = model_opt;
    return error_message([&] { make_job(options); });
  };
  CHECK(model_complaint({}).rfind("model: 'resnet21' is unknown, did you mean ", 0) == 0);
  CHECK(model_complaint({"width"}) == "model-opt: 'width' is not key=value, e.g. width=32");
  CHECK(model_complaint({"width=1", "width=2"}) == "model-opt: width is given twice");
  CHECK(complaint([](Options& o) {
          o.augment = {"flip", "none"};
        }).find("none alone") != std::string::npos);
  CHECK(complaint([](Options& o) { o.augment = {"pad-crop:border=four"}; }) ==
        "augment: border=four of 'pad-crop' must be an integer from 1 to 4096");
  CHECK_FALSE(complaint([](Options& o) { o.normalization = "imagenet"; }).empty());
  CHECK_FALSE(complaint([](Options& o) { o.device = "tpu"; }).empty());
  CHECK_FALSE(complaint([](Options& o) { o.data = "/nowhere"; }).empty());
}

TEST_CASE("one batch is overfitted") {
  const TemporaryFolder folder;
  Options options = tiny();
  options.overfit_one_batch = true;
  options.lr = 0.05;
  options.out = folder.path("run");
  Recorder recorder;
  const TrainJob job = linear_job(options);
  CHECK(job.train->size() == 16);
  const TrainResult result = train(job, recorder);
  CHECK(result.steps == 200);
  CHECK(result.last.examples == 16);
  CHECK(result.last.metric("accuracy") == 1.0);
}

}  // namespace
}  // namespace diagrad::train
