#include "diagrad/core/option.h"

#include <doctest/doctest.h>

#include "diagrad/core/error.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

const std::vector<Option>& declared() {
  static const std::vector<Option> all = {
      int_option("size", 32, 8, 64, "height and width"),
      float_option("noise", 0.5, 0.0, 1.0, "of the background"),
      bool_option("masks", false, "with masks"),
      choice_option("palette", {"any", "warm", "cold"}, "of the colours"),
  };
  return all;
}

OptionValues read(const std::string& text) {
  return {"data", parse_selection("data", text), declared()};
}

TEST_CASE("options are declared once and read with their types") {
  const OptionValues given = read("shapes:size=48,noise=0.25,masks=yes,palette=warm");
  CHECK(given.get_int("size") == 48);
  CHECK(given.get_float("noise") == 0.25);
  CHECK(given.get_bool("masks"));
  CHECK(given.get_choice("palette") == "warm");

  for (const char* text : {"shapes", "shapes:"}) {
    const OptionValues defaults = read(text);
    CHECK(defaults.get_int("size") == 32);
    CHECK(defaults.get_float("noise") == 0.5);
    CHECK_FALSE(defaults.get_bool("masks"));
    CHECK(defaults.get_choice("palette") == "any");
  }
}

TEST_CASE("an option says what it may be") {
  CHECK(declared()[0].allowed() == "8 to 64");
  CHECK(declared()[1].allowed() == "0 to 1");
  CHECK(declared()[2].allowed() == "true or false");
  CHECK(declared()[3].allowed() == "any, warm, cold");
}

TEST_CASE("a selection that cannot be read says what is wrong with it") {
  CHECK(error_message([] { read("shapes:size"); }) ==
        "data: 'size' in 'shapes:size' is not option=value, write it as "
        "shapes:option=value,option=value");
  CHECK(error_message([] { read("shapes:=3"); }).find("'=3'") != std::string::npos);
  CHECK(error_message([] { read("shapes:a=1,a=2"); }) ==
        "data: option a of 'shapes:a=1,a=2' is given twice");
  CHECK(error_message([] { read("shapes:size=big"); }) ==
        "data: size=big of 'shapes' must be an integer from 8 to 64");
  CHECK(error_message([] { read("shapes:size=7"); }) ==
        "data: size=7 of 'shapes' must be an integer from 8 to 64");
  CHECK(error_message([] { read("shapes:noise=nan"); }) ==
        "data: noise=nan of 'shapes' must be a number from 0 to 1");
  CHECK(error_message([] { read("shapes:masks=perhaps"); }) ==
        "data: masks=perhaps of 'shapes' must be true or false");
  CHECK(error_message([] { read("shapes:palette=grey"); }) ==
        "data: palette=grey of 'shapes' must be one of: any, warm, cold");
  CHECK(error_message([] { read("shapes:sise=64"); }) ==
        "data: 'shapes' has no option 'sise', did you mean 'size'? (its options: size, "
        "noise, masks, palette)");
}

TEST_CASE("a choice with options without end is refused soon") {
  std::string text = "shapes:";
  for (int i = 0; i < 100000; ++i) text += "a" + std::to_string(i) + "=1,";
  CHECK(error_message([&] { parse_selection("data", text); }) ==
        "data: 'shapes' is given more than 100 options");
}

TEST_CASE("reading an option that was not declared so is a fault of the program") {
  CHECK(error_message([] { read("shapes").get_int("noise"); }).find("not declared") !=
        std::string::npos);
  CHECK(error_message([] { read("shapes").get_bool("absent"); }).find("not declared") !=
        std::string::npos);
}

}  // namespace
}  // namespace diagrad
