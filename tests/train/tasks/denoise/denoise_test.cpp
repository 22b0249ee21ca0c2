#include "diagrad/train/tasks/denoise/denoise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/random.h"
#include "diagrad/data/loader.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/tasks/denoise/evaluator.h"
#include "diagrad/train/tasks/synthetic.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

const Shape kImage = {4, 4, 3};

/// Remembers what it is called with; gives `answer` at every pixel.
class Spy : public nn::Module {
 public:
  explicit Spy(int64_t classes = 0, double answer = 0.0) : classes_(classes), answer_(answer) {}
  int64_t class_count() const override { return classes_; }
  Tensor call(const nn::Inputs& inputs) override {
    calls.push_back(inputs);
    return Tensor::full(inputs.image.shape(), answer_, inputs.image.dtype());
  }
  std::vector<nn::Inputs> calls;

 private:
  int64_t classes_;
  double answer_;
};

data::DatasetPtr counting_set(int64_t size, int64_t classes = 10) {
  return std::make_shared<testing::CountingDataset>(size, kImage, classes);
}

data::Batch first_batch(const data::DatasetPtr& set, int64_t size, DType dtype = DType::f64) {
  data::Loader loader(set, {.batch = size, .normalization = "half"});
  data::Batch batch;
  loader.start(0);
  loader.next(batch);
  batch.images = batch.images.to(dtype);
  return batch;
}

Diffusion diffusion_of(const std::shared_ptr<const Task>& task) {
  const auto* denoise = dynamic_cast<const Denoise*>(task.get());
  REQUIRE(denoise != nullptr);
  return denoise->diffusion();
}

/// Element i of image b.
double at(const Tensor& x, int64_t b, int64_t i) {
  return x.data<double>()[b * kImage.numel() + i];
}

/// Element i of image b of the target, by its definition.
double target_value(DenoiseTarget target, double a, double x0, double epsilon) {
  if (target == DenoiseTarget::epsilon) return epsilon;
  if (target == DenoiseTarget::x0) return x0;
  return std::sqrt(a) * epsilon - std::sqrt(1.0 - a) * x0;
}

TEST_CASE("the only figure of denoise is the loss, and lower is better") {
  const auto task = make_task("denoise");
  REQUIRE(task->all_metrics().size() == 1);
  CHECK(task->primary().name == "loss");
  CHECK_FALSE(task->primary().higher_is_better);
  CHECK(task->all_values({.examples = 8, .loss = 4.0}) == MetricValues{{"loss", 0.5}});
  const TaskInfo& info = find_task("denoise");
  CHECK(info.call == models::CallForm::image_time);
  CHECK(info.output == models::Output::image);
  CHECK(info.targets.empty());
  CHECK_FALSE(info.can_mix);
}

TEST_CASE("options make the schedule, target and weights") {
  const Diffusion usual = diffusion_of(make_task("denoise"));
  CHECK(usual.schedule.steps() == 1000);
  CHECK(usual.schedule.alpha_bar(999) == NoiseSchedule::linear(1000).alpha_bar(999));
  CHECK(usual.target == DenoiseTarget::epsilon);
  CHECK(usual.min_snr == 0.0);
  CHECK(usual.label_dropout == 0.1);
  const Diffusion other = diffusion_of(make_task(
      "denoise:schedule=cosine,steps=50,target=v,min-snr=5,zero-snr=true,label-dropout=0.2"));
  CHECK(other.schedule.steps() == 50);
  CHECK(other.schedule.alpha_bar(49) == 0.0);
  CHECK(other.schedule.alpha_bar(0) == Approx(NoiseSchedule::cosine(50).alpha_bar(0)));
  CHECK(other.target == DenoiseTarget::v);
  CHECK(other.min_snr == 5.0);
  CHECK(other.label_dropout == 0.2);
}

TEST_CASE("options that cannot be are refused in one line") {
  CHECK(error_message([] { make_task("denoise:zero-snr=true"); }) ==
        "task: target=epsilon of 'denoise' says nothing of the image at the last step of "
        "zero-snr=true, which is noise alone; use target=v or target=x0");
  CHECK(error_message([] { make_task("denoise:zero-snr=true,target=x0"); }).empty());
  CHECK(error_message([] { make_task("denoise:steps=5"); }) ==
        "task: grid-times=10 of 'denoise' are more than steps=5");
  CHECK_FALSE(error_message([] { make_task("denoise:steps=0"); }).empty());
  CHECK_FALSE(error_message([] { make_task("denoise:target=noise"); }).empty());
  CHECK_FALSE(error_message([] { make_task("denoise:label-dropout=1.5"); }).empty());
}

TEST_CASE("the model gives images: --classes is refused, and says what to use") {
  const auto task = make_task("denoise");
  const data::DatasetInfo info = counting_set(4)->info();
  CHECK(task->outputs(info, 0) == 3);
  CHECK(task->outputs(info, 3) == 3);
  CHECK(error_message([&] { task->outputs(info, 10); }) ==
        "classes: 10 outputs, but task denoise trains a net that gives images; leave --classes "
        "out; to condition on classes, say --model-opt classes=10");
  CHECK(synthetic_outputs(*task, {8, 8, 1}, 0) == 1);
}

TEST_CASE("a training batch: noisy images, their steps, and the weighted error of the target") {
  const data::Batch batch = first_batch(counting_set(6), 6);
  for (const char* text :
       {"denoise", "denoise:target=v,schedule=cosine,zero-snr=true", "denoise:target=x0,min-snr=5",
        "denoise:min-snr=5", "denoise:target=v,min-snr=2"}) {
    CAPTURE(text);
    const auto task = make_task(text);
    const Diffusion diffusion = diffusion_of(task);
    Spy net(0, 0.25);
    const nn::RandomScope random(3, 17);
    const TaskStep step = task->forward(net, batch);
    // The keys of the scope in their order: steps, noise.
    const nn::RandomScope again(3, 17);
    const nn::RandomScope::Draw steps_key = nn::RandomScope::next();
    const nn::RandomScope::Draw noise_key = nn::RandomScope::next();
    RandomStream steps(steps_key.seed, steps_key.stream);
    RandomStream noise_stream(noise_key.seed, noise_key.stream);
    const Tensor noise = normal(batch.images.shape(), 0.0, 1.0, noise_stream, DType::f64);
    REQUIRE(net.calls.size() == 1);
    CHECK_FALSE(net.calls[0].class_label.defined());
    double loss = 0.0;
    double worst = 0.0;
    for (int64_t b = 0; b < 6; ++b) {
      const int64_t t = steps.below(1000);
      CHECK(net.calls[0].time.data<double>()[b] == static_cast<double>(t));
      const double a = diffusion.schedule.alpha_bar(t);
      for (int64_t i = 0; i < kImage.numel(); ++i) {
        const double x0 = at(batch.images, b, i);
        const double epsilon = at(noise, b, i);
        const double x = std::sqrt(a) * x0 + std::sqrt(1.0 - a) * epsilon;
        worst = std::max(worst, std::abs(at(net.calls[0].image, b, i) - x));
        const double error = 0.25 - target_value(diffusion.target, a, x0, epsilon);
        loss += min_snr_weight(diffusion.target, a, diffusion.min_snr) * error * error /
                static_cast<double>(batch.images.numel());
      }
    }
    CHECK(worst <= 1e-14);
    CHECK(step.loss.item() == Approx(loss).epsilon(1e-12));
    CHECK(step.sums == MetricSums{.examples = 6});
  }
}

TEST_CASE("steps are drawn uniformly, and anew for each batch of a run") {
  const Tensor images = Tensor::zeros({1000, 1, 1, 1});
  std::map<int64_t, int64_t> counts;
  std::vector<int64_t> before;
  for (uint64_t number = 0; number < 20; ++number) {
    const nn::RandomScope random(1, number);
    const TrainingDraw draw = draw_training(images, 10);
    CHECK(draw.steps != before);
    before = draw.steps;
    for (const int64_t t : draw.steps) ++counts[t];
  }
  REQUIRE(counts.size() == 10);
  double chi_square = 0.0;
  for (const auto& entry : counts) {
    const double difference = static_cast<double>(entry.second) - 2000.0;
    chi_square += difference * difference / 2000.0;
  }
  CHECK(counts.begin()->first == 0);
  CHECK(chi_square < 27.9);  // 9 degrees of freedom, p = 0.001
}

TEST_CASE("a net that takes classes gets the labels, some of them the null class") {
  const data::Batch batch = first_batch(counting_set(400), 400);
  const Tensor& labels = batch.target("label").values;
  const auto dropped = [&](const char* text) {
    Spy net(10);
    const nn::RandomScope random(5, 1);
    make_task(text)->forward(net, batch);
    const Tensor given = net.calls.at(0).class_label;
    int64_t count = 0;
    for (int64_t b = 0; b < 400; ++b) {
      const int64_t label = given.data<int64_t>()[b];
      if (label == 10) ++count;
      CHECK((label == 10 || label == labels.data<int64_t>()[b]));
    }
    return count;
  };
  CHECK(dropped("denoise:label-dropout=0") == 0);
  CHECK(dropped("denoise:label-dropout=1") == 400);
  const int64_t tenth = dropped("denoise");
  CHECK(tenth > 15);  // 40 +- 4 standard deviations
  CHECK(tenth < 65);
  Spy narrow(3);
  const nn::RandomScope random(5, 1);
  CHECK(error_message([&] { make_task("denoise")->forward(narrow, batch); }) ==
        "denoise: class 3, but the net has classes 0 to 2");
  data::Batch bare = batch;
  bare.targets.clear();
  CHECK(error_message([&] { make_task("denoise")->forward(narrow, bare); }) ==
        "batch: no target 'label' (the data set has none)");
}

TEST_CASE("summaries call the net at the middle step without a class") {
  const data::Batch batch = first_batch(counting_set(2), 2);
  Spy net(10);
  make_task("denoise")->call(net, batch);
  CHECK(net.calls.at(0).time.data<double>()[1] == 500.0);
  CHECK(net.calls.at(0).class_label.data<int64_t>()[1] == 10);
}

TEST_CASE("a net as a denoiser: class, null class and guidance") {
  const Diffusion diffusion = diffusion_of(make_task("denoise"));
  Spy net(10);
  const Tensor x = Tensor::zeros({2, 4, 4, 3});
  const std::vector<int64_t> labels = {7, 0};
  net_denoiser(net, diffusion, labels, 3.0)(x, 41);
  REQUIRE(net.calls.size() == 2);
  CHECK(net.calls[0].class_label.data<int64_t>()[0] == 10);  // the null class is K, not K - 1
  CHECK(net.calls[1].class_label.data<int64_t>()[0] == 7);
  CHECK(net.calls[1].class_label.data<int64_t>()[1] == 0);
  CHECK(net.calls[1].time.data<float>()[1] == 41.0F);
  net.calls.clear();
  net_denoiser(net, diffusion, labels, 1.0)(x, 0);
  net_denoiser(net, diffusion, labels, 0.0)(x, 0);
  REQUIRE(net.calls.size() == 2);
  CHECK(net.calls[0].class_label.data<int64_t>()[0] == 7);
  CHECK(net.calls[1].class_label.data<int64_t>()[0] == 10);
  CHECK(error_message([&] { net_denoiser(net, diffusion, std::vector<int64_t>{10}, 1.0); }) ==
        "denoise: class 10, but the net has classes 0 to 9");
  CHECK(error_message([&] { net_denoiser(net, diffusion, {}, 1.0); }) ==
        "class: the net takes one of 0 to 9, and none is given");
}

TEST_CASE("guidance is refused for a net whose null class nothing has trained") {
  const Diffusion diffusion = diffusion_of(make_task("denoise"));
  const Diffusion undropped = diffusion_of(make_task("denoise:label-dropout=0"));
  const Tensor x = Tensor::zeros({2, 4, 4, 3});
  const std::vector<int64_t> labels = {7, 0};
  Spy net(10);
  CHECK(error_message([&] { net_denoiser(net, undropped, labels, 2.0); }) ==
        "guidance: 2 needs a net that was trained with a null class; use 1");
  CHECK(error_message([&] { net_denoiser(net, undropped, labels, 1.0); }).empty());
  Spy plain;
  net_denoiser(plain, diffusion, {}, 1.0)(x, 5);
  CHECK_FALSE(plain.calls.at(0).class_label.defined());
  CHECK(error_message([&] { net_denoiser(plain, diffusion, {}, 2.0); }) ==
        "guidance: 2 needs a net that was trained with a null class; use 1");
  CHECK(error_message([&] { net_denoiser(plain, diffusion, labels, 1.0); }) ==
        "class: 7 is asked for, but the net takes no class");
}

TEST_CASE("the grid: different images, steps in the middles of equal parts") {
  const std::vector<int64_t> some = grid_images(1000, 256);
  CHECK(some.size() == 256);
  CHECK(std::is_sorted(some.begin(), some.end()));
  CHECK(std::adjacent_find(some.begin(), some.end()) == some.end());
  CHECK(some.front() >= 0);
  CHECK(some.back() < 1000);
  CHECK(grid_images(1000, 256) == some);
  CHECK(grid_images(3, 256) == std::vector<int64_t>{0, 1, 2});
  // A set whose classes repeat in the order of the images: each of ten has its share.
  std::map<int64_t, int64_t> of_class;
  for (const int64_t number : grid_images(2560, 256)) ++of_class[number % 10];
  CHECK(of_class.size() == 10);
  for (const auto& entry : of_class) CHECK(entry.second > 8);
  CHECK(grid_steps(1000, 10) ==
        std::vector<int64_t>{50, 150, 250, 350, 450, 550, 650, 750, 850, 950});
  CHECK(grid_steps(3, 3) == std::vector<int64_t>{0, 1, 2});
}

TEST_CASE("an evaluation is the weighted error over the grid, for any batches") {
  const data::DatasetPtr set = counting_set(40);
  for (const char* text : {"denoise:grid-images=12,grid-times=3",
                           "denoise:grid-images=12,grid-times=3,target=v,min-snr=5"}) {
    CAPTURE(text);
    const auto task = make_task(text);
    const Diffusion diffusion = diffusion_of(task);
    const std::vector<int64_t> images = grid_images(40, 12);
    const std::vector<int64_t> steps = {166, 500, 833};
    const data::Batch all = first_batch(set, 40);
    double expected = 0.0;
    for (size_t j = 0; j < steps.size(); ++j) {
      const double a = diffusion.schedule.alpha_bar(steps[j]);
      const Tensor noise = image_noise("denoise grid", 0, images, j, kImage, DType::f64);
      for (int64_t b = 0; b < 12; ++b) {
        for (int64_t i = 0; i < kImage.numel(); ++i) {
          const double error =
              0.25 - target_value(diffusion.target, a,
                                  at(all.images, images[static_cast<size_t>(b)], i),
                                  at(noise, b, i));
          expected += min_snr_weight(diffusion.target, a, diffusion.min_snr) * error * error /
                      static_cast<double>(kImage.numel() * 36);
        }
      }
    }
    double loss = 0.0;
    for (const int64_t batch : {40, 1, 7}) {
      Spy net(0, 0.25);
      const Evaluation result =
          evaluate(*task, net, set, {.batch = batch, .normalization = "half"});
      CHECK(result.examples == 12);
      CHECK(result.metric("loss") == Approx(expected).epsilon(1e-5));  // of f32 images
      if (batch == 40) loss = result.metric("loss");
      CHECK(result.metric("loss") == loss);
      REQUIRE(result.blocks.size() == 1);
      const auto& series = std::get<Series>(result.blocks[0]);
      CHECK(series.x == std::vector<double>{166.0, 500.0, 833.0});
      const std::vector<double>& y = series.lines.at(0).y;
      CHECK((y.at(0) + y.at(1) + y.at(2)) / 3.0 == Approx(loss).epsilon(1e-12));
    }
  }
}

TEST_CASE("an evaluation shows a net the true classes") {
  const data::DatasetPtr set = counting_set(40);
  Spy net(10);
  evaluate(*make_task("denoise:grid-images=5,grid-times=2"), net, set,
           {.batch = 40, .normalization = "half"});
  const std::vector<int64_t> images = grid_images(40, 5);
  REQUIRE(net.calls.size() == 2);
  const data::Batch all = first_batch(set, 40);
  for (size_t b = 0; b < images.size(); ++b) {
    CHECK(net.calls[1].class_label.data<int64_t>()[b] ==
          all.target("label").values.data<int64_t>()[images[b]]);
  }
}

}  // namespace
}  // namespace diagrad::train
