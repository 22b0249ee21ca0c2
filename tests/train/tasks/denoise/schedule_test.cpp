#include "diagrad/train/tasks/denoise/schedule.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using testing::error_message;

using Table = std::vector<std::pair<int64_t, double>>;

/// Relative to the value itself: the last ones are small.
void check_table(const NoiseSchedule& schedule, const Table& expected) {
  for (const auto& entry : expected) {
    CAPTURE(entry.first);
    CHECK(std::abs(schedule.alpha_bar(entry.first) - entry.second) <= 1e-12 * entry.second);
  }
}

// Tables: the cited formulas in 40 digits (mpmath).

TEST_CASE("the linear schedule of Ho et al.: beta from 1e-4 to 0.02 in equal steps") {
  const NoiseSchedule schedule = NoiseSchedule::linear(1000);
  CHECK(schedule.steps() == 1000);
  check_table(schedule, {{0, 0.9999},
                         {1, 0.99978009207207207},
                         {9, 0.99810520478583462},
                         {99, 0.89701814567496036},
                         {250, 0.52142303061852735},
                         {500, 0.0777966583650239},
                         {750, 0.0033001583615694315},
                         {990, 4.8370478118181137e-5},
                         {998, 4.1181936381384524e-5},
                         {999, 4.0358297653756833e-5}});
  check_table(NoiseSchedule::linear(5), {{0, 0.9999},
                                         {1, 0.9948255075},
                                         {2, 0.984827511149625},
                                         {3, 0.97003047779460188},
                                         {4, 0.95062986823870985}});
  check_table(NoiseSchedule::linear(1), {{0, 0.9999}});
  CHECK(schedule.beta(0) == Approx(1e-4).epsilon(1e-11));
  CHECK(schedule.beta(999) == Approx(0.02).epsilon(1e-12));
  CHECK(schedule.beta(333) == Approx(1e-4 + 0.0199 / 3.0).epsilon(1e-12));
}

TEST_CASE("the cosine schedule of Nichol and Dhariwal, with beta at most 0.999") {
  check_table(NoiseSchedule::cosine(1000), {{0, 0.99995871577517822},
                                            {1, 0.99991257592736802},
                                            {9, 0.99936871840165848},
                                            {99, 0.97209273711396917},
                                            {250, 0.84588798649688294},
                                            {500, 0.49228517244880258},
                                            {750, 0.14317864642609792},
                                            {990, 0.00019671738012480477},
                                            {998, 2.4287669070344684e-6},
                                            {999, 2.4287669070344684e-9}});
  const NoiseSchedule ten = NoiseSchedule::cosine(10);
  check_table(ten, {{0, 0.97209273711396917},
                    {1, 0.89870592059950889},
                    {2, 0.78691051115082932},
                    {3, 0.64747821114650391},
                    {4, 0.49384359044063771},
                    {5, 0.34080963975932404},
                    {6, 0.20312147411833755},
                    {7, 0.094045612676653835},
                    {8, 0.024091724140085855},
                    {9, 2.4091724140085855e-5}});
  CHECK(ten.beta(9) == Approx(0.999).epsilon(1e-12));
}

TEST_CASE("rescaled to zero terminal SNR, the last level is 0 and the first stays") {
  const NoiseSchedule linear = NoiseSchedule::linear(1000).with_zero_terminal_snr();
  CHECK(linear.alpha_bar(999) == 0.0);
  check_table(linear, {{0, 0.9999},
                       {1, 0.99977932543315293},
                       {9, 0.9980937344900223},
                       {99, 0.89637830982666994},
                       {250, 0.51886053679168104},
                       {500, 0.075246215704326701},
                       {750, 0.0026441059222121098}});
  // These come from differences of small roots.
  CHECK(linear.alpha_bar(990) == Approx(3.6713928677939968e-7).epsilon(1e-9));
  CHECK(linear.alpha_bar(998) == Approx(4.2132624650880561e-9).epsilon(1e-9));
  CHECK(linear.beta(999) == 1.0);
  check_table(NoiseSchedule::cosine(10).with_zero_terminal_snr(), {{0, 0.97209273711396917},
                                                                   {1, 0.89834599233483625},
                                                                   {2, 0.78603315834348481},
                                                                   {3, 0.64601935417648911},
                                                                   {4, 0.49185411286158245},
                                                                   {5, 0.33846442963401473},
                                                                   {6, 0.20071475109235137},
                                                                   {7, 0.091972695907037894},
                                                                   {8, 0.022818752601322492},
                                                                   {9, 0.0}});
  CHECK(error_message([] { NoiseSchedule::linear(1).with_zero_terminal_snr(); }) ==
        "noise schedule: 1 steps, it needs at least 2");
}

TEST_CASE("the step before the first is the clean image, others outside are refused") {
  const NoiseSchedule schedule({0.75, 0.5});
  CHECK(schedule.alpha_bar(NoiseSchedule::kClean) == 1.0);
  CHECK(schedule.beta(0) == 0.25);
  CHECK(error_message([&] { schedule.alpha_bar(2); }) ==
        "noise schedule: step 2 is outside 0 to 1");
  CHECK(error_message([&] { schedule.alpha_bar(-2); }) ==
        "noise schedule: step -2 is outside 0 to 1");
  CHECK(snr_of(0.75) == 3.0);
  CHECK(snr_of(0.0) == 0.0);
  CHECK(std::isinf(snr_of(1.0)));
}

TEST_CASE("levels that do not fall from below 1 to at least 0 are refused") {
  const auto refused = [](std::vector<double> levels) {
    return error_message([&] { const NoiseSchedule schedule(levels); });
  };
  CHECK(refused({0.75, 0.75}) ==
        "noise schedule: alpha-bar is 0.75 at step 1 after 0.75; it must fall strictly, from below "
        "1 to at least 0");
  CHECK_FALSE(refused({1.0, 0.5}).empty());
  CHECK_FALSE(refused({0.5, -0.1}).empty());
  CHECK_FALSE(refused({0.5, std::numeric_limits<double>::quiet_NaN()}).empty());
  CHECK(refused({}) == "noise schedule: 0 steps, it needs at least 1");
  CHECK(refused({0.5, 0.0}).empty());
  CHECK(error_message([] { NoiseSchedule::cosine(0); }) ==
        "noise schedule: 0 steps, it needs at least 1");
}

}  // namespace
}  // namespace diagrad::train
