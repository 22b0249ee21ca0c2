#include "tests/support/attention_settings.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Where a unit sits and which tokens it pools is up to the plan; the registry adds these options.
bool is_of_the_plan(const Option& option) {
  return option.name == "at" || option.name == "pool";
}

std::string setting(const nn::AttentionInfo& info, const Option& option, const std::string& value) {
  return fmt::format("{}:{}={}", info.name, option.name, value);
}

std::string next_taken(const nn::AttentionInfo& info, const Option& option) {
  constexpr int64_t kTries = 4;  // past values that a variant itself refuses, such as even widths
  const int64_t first = std::stoll(option.default_value);
  for (int64_t value = first + 1; value <= first + kTries; ++value) {
    const std::string text = std::to_string(value);
    if (error_message([&] { nn::AttentionFactory(setting(info, option, text)); }).empty()) {
      return text;
    }
  }
  return option.default_value;
}

}  // namespace

std::vector<std::string> tested_values(const nn::AttentionInfo& info, const Option& option) {
  std::vector<std::string> values;
  switch (option.kind) {
    case Option::Kind::choice:
      return option.choices;
    case Option::Kind::boolean:
      return {"false", "true"};
    case Option::Kind::floating:
      values = {fmt::format("{}", option.low), option.default_value};
      break;
    case Option::Kind::integer:
      values = {fmt::format("{}", option.low), option.default_value, next_taken(info, option)};
      break;
    case Option::Kind::text:
      return {option.default_value};
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::vector<std::string> all_settings(const nn::AttentionInfo& info) {
  std::vector<std::string> settings = {info.name};
  char before = ':';
  for (const Option& option : info.options) {
    if (is_of_the_plan(option)) continue;
    std::vector<std::string> longer;
    for (const std::string& begin : settings) {
      for (const std::string& value : tested_values(info, option)) {
        longer.push_back(fmt::format("{}{}{}={}", begin, before, option.name, value));
      }
    }
    settings = std::move(longer);
    before = ',';
  }
  return settings;
}

std::vector<std::string> single_settings(const nn::AttentionInfo& info) {
  std::vector<std::string> settings;
  for (const Option& option : info.options) {
    if (is_of_the_plan(option)) continue;
    for (const std::string& value : tested_values(info, option)) {
      if (value != option.default_value) settings.push_back(setting(info, option, value));
    }
  }
  return settings;
}

TEST_CASE("options of attention are tested at every choice, ends and beside the default") {
  const nn::AttentionInfo info{
      .name = "eca",  // which refuses even widths
      .options = {int_option("kernel", 0, 0, 63, ""), choice_option("word", {"a", "b"}, ""),
                  choice_option("at", {"pre_add", "before_conv"}, "")}};
  using Texts = std::vector<std::string>;
  CHECK(tested_values(info, info.options[0]) == Texts{"0", "1"});
  CHECK(tested_values(info, int_option("kernel", 1, 0, 63, "")) == Texts{"0", "1", "3"});
  CHECK(tested_values(info, bool_option("bias", true, "")) == Texts{"false", "true"});
  CHECK(tested_values(info, float_option("p", 0.1, 0.0, 1.0, "")) == Texts{"0", "0.1"});
  CHECK(all_settings(info) == Texts{"eca:kernel=0,word=a", "eca:kernel=0,word=b",
                                    "eca:kernel=1,word=a", "eca:kernel=1,word=b"});
  CHECK(single_settings(info) == Texts{"eca:kernel=1", "eca:word=b"});
}

}  // namespace diagrad::testing
