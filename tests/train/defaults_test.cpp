#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/bench/step_bench.h"
#include "diagrad/train/optim/adamw.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/optim/sgd.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {
namespace {

// What a user who says nothing gets. Other tests say what they need, so that a changed default
// shows here alone.

TEST_CASE("defaults of a run") {
  const Options options;
  CHECK(options.task == "classify");
  CHECK(options.model == "resnet20");
  CHECK(options.attention == "dia-lstm");
  CHECK(options.sharing.empty());
  CHECK(options.classes == 0);
  CHECK(options.init.empty());
  CHECK(options.freeze.empty());
  CHECK(options.precision == "f32");
  CHECK(options.math == "fast");
  CHECK(options.seed == 0);
  CHECK(options.data == "shapes");
  CHECK(options.val_split == 0);
  CHECK(options.augment.empty());
  CHECK(options.normalization.empty());
  CHECK(options.mixup == 0.0);
  CHECK(options.cutmix == 0.0);
  CHECK(options.mix_switch == 0.5);
  CHECK_FALSE(options.drop_last);
  CHECK_FALSE(options.overfit_one_batch);
  CHECK(options.epochs == 15);
  CHECK(options.batch == 128);
  CHECK(options.eval_batch == 256);
  CHECK(options.accumulate == 1);
  CHECK(options.optimizer == "sgd");
  CHECK(options.lr == 0.0);
  CHECK_FALSE(options.momentum.has_value());
  CHECK(options.weight_decay == 1e-4);
  CHECK(options.no_decay.empty());
  CHECK(options.clip_grad_norm == 0.0);
  CHECK(options.ema_decay == 0.0);
  CHECK(options.schedule == "cosine");
  CHECK(options.warmup == "0");
}

TEST_CASE("defaults of where and for how long a run goes") {
  const Options options;
  CHECK(options.device == "cpu");
  CHECK(options.threads == 0);
  CHECK(options.workers == 2);
  CHECK_FALSE(options.checkpoint_blocks);
  CHECK(options.out.empty());
  CHECK(options.resume.empty());
  CHECK(options.max_steps == 0);
  CHECK(options.max_time == 0.0);
  CHECK(options.eval_every == 1);
  CHECK(options.save_every == 0);
  CHECK(options.keep_every == 0);
  CHECK(options.keep == 0);
}

template <typename Infos>
void add_defaults(std::map<std::string, std::string>& found, const Infos& infos) {
  for (const auto& info : infos) {
    for (const Option& option : info.options) {
      found[info.name + ":" + option.name] = option.default_value;
    }
  }
}

TEST_CASE("defaults of what stands behind a name: the papers' and PyTorch's") {
  std::map<std::string, std::string> found;
  add_defaults(found, optimizers());
  add_defaults(found, schedules());
  add_defaults(found, tasks());
  add_defaults(found, nn::attention_variants());
  const std::map<std::string, std::string> expected = {{"sgd:nesterov", "false"},
                                                       {"adamw:beta1", "0.9"},
                                                       {"adamw:beta2", "0.999"},
                                                       {"adamw:epsilon", "1e-08"},
                                                       {"cosine:min-lr", "0"},
                                                       {"multistep:gamma", "0.1"},
                                                       {"multistep:milestones", ""},
                                                       {"onecycle:peak-at", "0.3"},
                                                       {"onecycle:start-factor", "25"},
                                                       {"onecycle:final-factor", "10000"},
                                                       {"onecycle:cycle-momentum", "true"},
                                                       {"onecycle:base-momentum", "0.85"},
                                                       {"onecycle:max-momentum", "0.95"},
                                                       {"classify:label-smoothing", "0"},
                                                       {"denoise:schedule", "linear"},
                                                       {"denoise:steps", "1000"},
                                                       {"denoise:target", "epsilon"},
                                                       {"denoise:min-snr", "0"},
                                                       {"denoise:zero-snr", "false"},
                                                       {"denoise:label-dropout", "0.1"},
                                                       {"denoise:grid-images", "256"},
                                                       {"denoise:grid-times", "10"},
                                                       {"se:reduction", "16"},
                                                       {"se:bias", "true"},
                                                       {"eca:kernel", "0"},
                                                       {"se:at", "pre_add"},
                                                       {"se:pool", "all"},
                                                       {"dia-lstm:reduction", "4"},
                                                       {"dia-lstm:cells", "1"},
                                                       {"dia-lstm:output", "sigmoid"},
                                                       {"dia-lstm:dropout", "0.1"}};
  for (const auto& option : expected) {
    CAPTURE(option.first);
    CHECK(found[option.first] == option.second);
  }
  CHECK(find_optimizer("sgd").lr == 0.1);
  CHECK(find_optimizer("sgd").momentum == 0.9);
  CHECK(find_optimizer("adamw").lr == 1e-3);
  CHECK_FALSE(find_optimizer("adamw").momentum.has_value());
}

TEST_CASE("defaults of optimizers and schedules made by hand") {
  CHECK(SgdOptions{}.momentum == 0.9);
  CHECK_FALSE(SgdOptions{}.nesterov);
  CHECK(AdamwOptions{}.beta1 == 0.9);
  CHECK(AdamwOptions{}.beta2 == 0.999);
  CHECK(AdamwOptions{}.epsilon == 1e-8);
  CHECK(ParameterGroup{}.weight_decay == 0.0);
  CHECK(OptimizerSettings{}.momentum == 0.0);
  CHECK(OptimizerInfo{}.lr == 0.1);
  CHECK_FALSE(OptimizerInfo{}.momentum.has_value());
  CHECK(ScheduleSettings{}.lr == 0.1);
  CHECK_FALSE(ScheduleSettings{}.momentum.has_value());
  CHECK(ScheduleSettings{}.steps == 1);
  CHECK(ScheduleSettings{}.steps_per_epoch == 1);
  CHECK(ScheduleSettings{}.warmup == 0);
  CHECK(ScheduleInfo{}.has_warmup);
  CHECK(Warmup{}.is_none());
  const LearningRate rate{LearningRateSpec{}};
  CHECK(rate.steps() == 1);
  CHECK(rate.lr(0) == 0.1);
  CHECK_FALSE(rate.momentum(0).has_value());
  CHECK(LearningRateSpec{}.schedule == "constant");
  CHECK_FALSE(LearningRateSpec{}.momentum.has_value());
}

TEST_CASE("a step of an optimizer takes the gradient as it is") {
  const auto first_moment = [](auto kind, auto step) {
    const Tensor p = Tensor::ones({1}, DType::f64);
    p.set_requires_grad(true);
    p.set_grad(Tensor::full({1}, 0.5, DType::f64));
    typename decltype(kind)::type optimizer({{{{"p", p}}}}, {});
    step(optimizer);
    return optimizer.state().begin()->second.item();
  };
  CHECK(first_moment(TypeTag<Sgd>{}, [](Sgd& o) { o.step(0.1); }) == 0.5);
  CHECK(first_moment(TypeTag<Sgd>{}, [](Optimizer& o) { o.step(0.1); }) == 0.5);
  const double tenth = (1.0 - 0.9) * 0.5;
  CHECK(first_moment(TypeTag<Adamw>{}, [](Adamw& o) { o.step(0.1); }) == tenth);
  CHECK(first_moment(TypeTag<Adamw>{}, [](Optimizer& o) { o.step(0.1); }) == tenth);
}

TEST_CASE("defaults of tasks, metrics and benches") {
  const EvaluatorOptions evaluation;
  CHECK(evaluation.samples == 0);
  CHECK_FALSE(evaluation.keep_outputs);
  CHECK(TaskInfo{}.call == models::CallForm::image);
  CHECK(TaskInfo{}.output == models::Output::logits);
  CHECK(TaskInfo{}.normalization.empty());
  CHECK(TaskInfo{}.augment == std::vector<std::string>{"pad-crop:border=4", "flip"});
  CHECK_FALSE(TaskInfo{}.can_mix);
  CHECK(Metric{}.higher_is_better);
  CHECK_FALSE(Metric{}.is_share);
  const StepBenchOptions bench;
  CHECK(bench.input == Shape{32, 32, 3});
  CHECK(bench.steps == 10);
  CHECK(bench.warmup == 3);
  CHECK_FALSE(bench.profile);
}

}  // namespace
}  // namespace diagrad::train
