#include "diagrad/train/tasks/denoise/sampler.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/train/tasks/denoise/sampling.h"
#include "diagrad/train/tasks/denoise/schedule.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

const std::vector<std::string>& all_texts() {
  static const std::vector<std::string> all = {"ddim", "ddim:eta=0.5",        "ddim:eta=1",
                                               "ddpm", "ddpm:variance=large", "dpm-solver++"};
  return all;
}

bool is_finite(const SamplerWeights& w) {
  return std::isfinite(w.x) && std::isfinite(w.x0) && std::isfinite(w.x0_before) &&
         std::isfinite(w.noise);
}

TEST_CASE("samplers are found by name, with options that are checked") {
  REQUIRE(samplers().size() == 3);
  for (const SamplerInfo& info : samplers()) {
    CHECK_FALSE(info.help.empty());
    CHECK_FALSE(info.citation.empty());
    CHECK(make_sampler(info.name) != nullptr);
  }
  CHECK(find_sampler("ddim:eta=1").name == "ddim");
  CHECK(find_sampler("ddim").options.at(0).default_value == "0");
  CHECK(find_sampler("ddpm").options.at(0).default_value == "small");
  CHECK(error_message([] { make_sampler("dpm"); }).find("sampler: 'dpm' is unknown") == 0);
  CHECK(error_message([] { make_sampler("ddim:eta=2"); }) ==
        "sampler: eta=2 of 'ddim' must be a number from 0 to 1");
  CHECK_FALSE(error_message([] { make_sampler("ddpm:variance=medium"); }).empty());
  CHECK_FALSE(error_message([] { make_sampler("dpm-solver++:eta=0"); }).empty());
  CHECK(error_message([] { register_sampler({.name = "mine"}); }) ==
        "sampler 'mine' is registered without .make, the function that makes it");
}

TEST_CASE("the last move is the prediction of the clean image, whatever came before") {
  for (const std::string& text : all_texts()) {
    CAPTURE(text);
    const auto sampler = make_sampler(text);
    for (const double from : {0.9999, 0.5, 4e-5, 0.0}) {
      const SamplerWeights first = sampler->weights({.from = from, .to = 1.0});
      CHECK(first.x == 0.0);
      CHECK(first.x0 == 1.0);
      CHECK(first.x0_before == 0.0);
      CHECK(first.noise == 0.0);
    }
    const SamplerWeights later = sampler->weights({.from = 0.5, .to = 1.0, .before = 0.25});
    CHECK(later.x == 0.0);
    CHECK(later.x0 == 1.0);
    CHECK(later.x0_before == 0.0);
    CHECK(later.noise == 0.0);
  }
}

TEST_CASE("weights are finite for every number of steps, also from zero terminal SNR") {
  const NoiseSchedule schedules[] = {NoiseSchedule::linear(1000),
                                     NoiseSchedule::linear(1000).with_zero_terminal_snr(),
                                     NoiseSchedule::cosine(1000).with_zero_terminal_snr()};
  for (const std::string& text : all_texts()) {
    const auto sampler = make_sampler(text);
    for (const NoiseSchedule& schedule : schedules) {
      for (const int64_t steps : {1, 2, 3, 50, 999, 1000}) {
        CAPTURE(text);
        CAPTURE(steps);
        const auto visited = sampling_steps(1000, steps, Spacing::trailing);
        SamplerMove move;
        bool finite = true;
        for (size_t i = 0; i < visited.size(); ++i) {
          if (i > 0) move.before = move.from;
          move.from = schedule.alpha_bar(visited[i]);
          move.to = i + 1 < visited.size() ? schedule.alpha_bar(visited[i + 1]) : 1.0;
          finite = finite && is_finite(sampler->weights(move));
        }
        CHECK(finite);
      }
    }
  }
}

TEST_CASE("DDIM with eta 1 is DDPM with the small variance") {
  const auto ddim = make_sampler("ddim:eta=1");
  const auto ddpm = make_sampler("ddpm");
  for (const SamplerMove& move : {SamplerMove{0.1, 0.2}, SamplerMove{0.0, 0.01},
                                  SamplerMove{0.5, 0.999}, SamplerMove{0.9, 1.0}}) {
    const SamplerWeights a = ddim->weights(move);
    const SamplerWeights b = ddpm->weights(move);
    CHECK(a.x == Approx(b.x).epsilon(1e-12));
    CHECK(a.x0 == Approx(b.x0).epsilon(1e-12));
    CHECK(a.noise == Approx(b.noise).epsilon(1e-12));
  }
}

TEST_CASE("weights of one move, worked out by hand") {
  // From a = 0.36 to b = 0.64: beta = 0.4375, and sqrt(a) = 0.6, sqrt(b) = 0.8.
  const SamplerMove move{.from = 0.36, .to = 0.64};
  const SamplerWeights ddim = make_sampler("ddim")->weights(move);
  CHECK(ddim.x == Approx(0.75).epsilon(1e-14));
  CHECK(ddim.x0 == Approx(0.35).epsilon(1e-14));
  CHECK(ddim.noise == 0.0);
  const SamplerWeights small = make_sampler("ddpm")->weights(move);
  CHECK(small.x == Approx(0.75 * 0.36 / 0.64).epsilon(1e-14));
  CHECK(small.x0 == Approx(0.8 * 0.4375 / 0.64).epsilon(1e-14));
  CHECK(small.noise == Approx(std::sqrt(0.4375 * 0.36 / 0.64)).epsilon(1e-14));
  const SamplerWeights large = make_sampler("ddpm:variance=large")->weights(move);
  CHECK(large.x == small.x);
  CHECK(large.x0 == small.x0);
  CHECK(large.noise == Approx(std::sqrt(0.4375)).epsilon(1e-14));
  // Equal steps in lambda: h = h_before, half of the difference of the predictions is added.
  const double ratio = 0.36 / 0.64;  // a / (1 - a) at `from`; its inverse at `to`
  const double before = ratio * ratio * ratio / (1.0 + ratio * ratio * ratio);
  const SamplerWeights multistep =
      make_sampler("dpm-solver++")->weights({.from = 0.36, .to = 0.64, .before = before});
  CHECK(multistep.x == Approx(0.75).epsilon(1e-14));
  CHECK(multistep.x0 == Approx(0.35 * 1.5).epsilon(1e-12));
  CHECK(multistep.x0_before == Approx(-0.35 * 0.5).epsilon(1e-12));
  CHECK(multistep.noise == 0.0);
}

}  // namespace
}  // namespace diagrad::train
