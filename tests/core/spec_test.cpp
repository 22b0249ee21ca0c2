#include "diagrad/core/spec.h"

#include <doctest/doctest.h>

#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

TEST_CASE("a spec is a name with options, read once each with its type") {
  Spec spec("data", "shapes:size=48,noise=0.25,masks=yes,palette=warm");
  CHECK(spec.name() == "shapes");
  CHECK(spec.whole("size", 32, 8, 1024) == 48);
  CHECK(spec.number("noise", 0.5, 0.0, 1.0) == 0.25);
  CHECK(spec.flag("masks", false));
  CHECK(spec.text("palette", "any") == "warm");
  CHECK(spec.whole("train", 5000, 1, 10000) == 5000);
  spec.finish();

  CHECK(Spec("data", "cifar10").options().empty());
  CHECK(Spec("data", "shapes:").options().empty());
}

TEST_CASE("a spec that cannot be meant says what is wrong with it") {
  CHECK(error_message([] { Spec("data", "shapes:size"); }) ==
        "data: 'size' in 'shapes:size' is not option=value, write it as "
        "shapes:option=value,option=value");
  CHECK(error_message([] { Spec("data", "shapes:=3"); }).find("'=3'") != std::string::npos);
  CHECK(error_message([] { Spec("data", "shapes:a=1,a=2"); }) ==
        "data: option a of 'shapes:a=1,a=2' is given twice");
  CHECK(error_message([] { Spec("data", "shapes:size=big").whole("size", 32, 8, 64); }) ==
        "data: size=big of 'shapes' must be a whole number from 8 to 64");
  CHECK(error_message([] { Spec("data", "shapes:size=7").whole("size", 32, 8, 64); }) ==
        "data: size=7 of 'shapes' must be a whole number from 8 to 64");
  CHECK(error_message([] { Spec("data", "shapes:p=nan").number("p", 0.0, 0.0, 1.0); }) ==
        "data: p=nan of 'shapes' must be a number from 0 to 1");
  CHECK(error_message([] { Spec("data", "shapes:on=perhaps").flag("on", true); }) ==
        "data: on=perhaps of 'shapes' must be true or false");
  CHECK(error_message([] {
          Spec spec("data", "shapes:sise=64");
          spec.whole("size", 32, 8, 64);
          spec.finish();
        }) == "data: 'shapes' has no option 'sise', its options are: size");
}

}  // namespace
}  // namespace diagrad
