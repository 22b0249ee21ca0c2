#include "diagrad/train/optim/schedule.h"

#include <doctest/doctest.h>

#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

LearningRate schedule(const std::string& name, int64_t epochs, int64_t steps,
                      const std::string& warmup = "0") {
  std::string text = name;
  if (name == "multistep") text += ":milestones=2+3";
  if (name == "cosine") text += ":min-lr=0.02";
  return LearningRate({.schedule = text,
                       .warmup = warmup,
                       .peak = 0.2,
                       .momentum = 0.9,
                       .epochs = epochs,
                       .steps_per_epoch = steps});
}

TEST_CASE("constant and multistep, with and without warm-up") {
  CHECK(schedule("constant", 2, 5).lr(9) == 0.2);
  const LearningRate steps = schedule("multistep", 4, 10);
  CHECK(steps.steps() == 40);
  CHECK(steps.lr(0) == 0.2);
  CHECK(steps.lr(19) == 0.2);
  CHECK(steps.lr(20) == Approx(0.02));
  CHECK(steps.lr(29) == Approx(0.02));
  CHECK(steps.lr(30) == Approx(0.002));
  const LearningRate warm = schedule("multistep", 4, 10, "0.3");
  CHECK(warm.lr(0) == Approx(0.05));
  CHECK(warm.lr(1) == Approx(0.1));
  CHECK(warm.lr(2) == Approx(0.15));
  CHECK(warm.lr(3) == 0.2);
  CHECK(warm.lr(20) == Approx(0.02));
}

TEST_CASE("cosine falls from the peak after warm-up to the minimum") {
  const LearningRate plain = schedule("cosine", 2, 10);
  CHECK(plain.lr(0) == 0.2);
  CHECK(plain.lr(10) == Approx(0.11));
  CHECK(plain.lr(5) == Approx(0.02 + 0.18 * (1.0 + 0.70710678118654752) / 2.0));
  CHECK(plain.lr(19) > 0.02);
  const LearningRate warm = schedule("cosine", 2, 10, "1");
  CHECK(warm.lr(9) == Approx(0.2 * 10.0 / 11.0));
  CHECK(warm.lr(10) == 0.2);
  CHECK(warm.lr(15) == Approx(0.11));
  CHECK(schedule("cosine", 1, 2, "1").lr(1) == Approx(0.2 * 2.0 / 3.0));
}

TEST_CASE("onecycle moves the momentum against the learning rate, as OneCycleLR does") {
  // The momentum of SGD(momentum=0.9) under OneCycleLR(max_lr=0.2, total_steps=10).
  const double expected[] = {0.95,
                             0.8999999999999999,
                             0.85,
                             0.8549515566048791,
                             0.8688255099070633,
                             0.8888739533021842,
                             0.9111260466978157,
                             0.9311744900929366,
                             0.9450484433951209,
                             0.95};
  const LearningRate cycle = schedule("onecycle", 5, 2);
  for (int64_t step = 0; step < 10; ++step) {
    CHECK(*cycle.momentum(step) == Approx(expected[step]).epsilon(1e-12));
  }
  CHECK(!schedule("cosine", 5, 2).momentum(0).has_value());
  const LearningRate fixed({.schedule = "onecycle:cycle-momentum=false", .momentum = 0.9});
  CHECK(!fixed.momentum(0).has_value());
}

TEST_CASE("onecycle gives the values of PyTorch's OneCycleLR") {
  // OneCycleLR(max_lr=0.2, total_steps=10, pct_start=0.3, div_factor=25, final_div_factor=1e4).
  const double expected[] = {0.008,
                             0.104,
                             0.2,
                             0.19009692640269477,
                             0.1623491307899526,
                             0.12225240438725786,
                             0.07774839561274215,
                             0.0376516692100474,
                             0.009903873597305258,
                             8e-07};
  const LearningRate cycle = schedule("onecycle", 5, 2);
  for (int64_t step = 0; step < 10; ++step) {
    CHECK(cycle.lr(step) == Approx(expected[step]).epsilon(1e-12));
  }
  CHECK(cycle.lr(1000) == cycle.lr(9));
  CHECK(schedule("onecycle", 1, 1).lr(0) == 0.2);
}

TEST_CASE("the first step of the highest rate is found without going through all of them") {
  for (const char* name : {"constant", "multistep", "cosine", "onecycle"}) {
    for (const int64_t steps : {1, 2, 7}) {
      for (const char* warmup : {"0", "0.3", "1", "2.5", "4", "3steps"}) {
        if (name == std::string("onecycle") && warmup != std::string("0")) continue;
        const LearningRate all = schedule(name, 4, steps, warmup);
        int64_t highest = 0;
        for (int64_t step = 1; step < all.steps(); ++step) {
          if (all.lr(step) > all.lr(highest)) highest = step;
        }
        INFO(name << " " << steps << " " << warmup);
        CHECK(all.highest() == highest);
      }
    }
  }
  CHECK(schedule("cosine", 1'000'000, 50'000'000, "2").highest() == 100'000'000);
}

TEST_CASE("warm-up is given in epochs or in steps, and rises at each step") {
  const LearningRate by_epochs = schedule("constant", 4, 10, "0.5");
  const LearningRate by_steps = schedule("constant", 4, 10, "5steps");
  for (int64_t step = 0; step < 10; ++step) CHECK(by_epochs.lr(step) == by_steps.lr(step));
  for (int64_t step = 1; step <= 5; ++step) CHECK(by_steps.lr(step) > by_steps.lr(step - 1));
  CHECK(by_steps.lr(5) == 0.2);
  for (const char* wrong : {"x", "", "-1", "1epochs", "5 steps", "inf", "-3steps"}) {
    CHECK_MESSAGE(error_message([&] { parse_warmup(wrong); }).find("warmup: ") == 0, wrong);
  }
  CHECK(error_message([] { parse_warmup("x"); }) ==
        "warmup: 'x' is neither epochs, such as 0.5, nor steps, such as 100steps");
  CHECK(error_message([] { schedule("cosine", 2, 10, "3"); }) ==
        "warmup: 3 epochs are more than the 2 of the run");
}

TEST_CASE("schedules that make no sense are refused in one line") {
  const auto complaint = [](const std::string& text, const std::string& warmup = "0") {
    return error_message([&] {
      const LearningRate rate({.schedule = text, .warmup = warmup, .momentum = 0.0, .epochs = 3});
    });
  };
  CHECK(complaint("multistep") ==
        "schedule: multistep needs milestones, e.g. multistep:milestones=60+120");
  CHECK(complaint("multistep:milestones=120+60") ==
        "schedule: milestones=120+60 of 'multistep' must not fall");
  CHECK(complaint("multistep:milestones=60,120") ==
        "schedule: '120' in 'multistep:milestones=60,120' is not option=value; a list inside an "
        "option is joined by +, as in milestones=60+120");
  CHECK(complaint("cosine:min-lr=1") ==
        "schedule: min-lr=1 of 'cosine' is above the learning rate 0.1");
  CHECK(complaint("onecycle", "1") ==
        "warmup: 1 beside schedule onecycle, which has a rise of its own; leave --warmup out");
  CHECK(complaint("onecycle").find("momentum: schedule onecycle moves it, but it is 0") == 0);
  CHECK(complaint("step").find("schedule: 'step' is unknown") == 0);
}

TEST_CASE("steps below 0 and runs without steps are refused") {
  const LearningRate rate = schedule("constant", 2, 5);
  CHECK(error_message([&] { (void)rate.lr(-1); }) == "schedule: step -1; steps are counted from 0");
  CHECK_FALSE(error_message([&] { (void)rate.momentum(-1); }).empty());
  CHECK(error_message([] { schedule("constant", 0, 5); }) ==
        "schedule: 0 epochs of 5 steps; both must be at least 1");
  CHECK_FALSE(error_message([] { schedule("constant", 2, 0); }).empty());
}

}  // namespace
}  // namespace diagrad::train
