#include <doctest/doctest.h>

#include "diagrad/data/augmentation.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/tasks/task.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

TEST_CASE("what is registered without .make is refused with its kind and name") {
  const auto text = [](const std::string& kind) {
    return kind + " 'mine' is registered without .make, the function that makes it";
  };
  CHECK(error_message([] { nn::register_attention({.name = "mine"}); }) == text("attention"));
  CHECK(error_message([] { models::register_model({.name = "mine"}); }) == text("model"));
  CHECK(error_message([] { data::register_augmentation({.name = "mine"}); }) ==
        text("augmentation"));
  CHECK(error_message([] { train::register_optimizer({.name = "mine"}); }) == text("optimizer"));
  CHECK(error_message([] { train::register_schedule({.name = "mine"}); }) == text("schedule"));
  CHECK(error_message([] { train::register_task({.name = "mine"}); }) == text("task"));
  CHECK(error_message([] {
          cli::register_command({.name = "mine", .help = "does nothing", .make = {}});
        }) == text("command"));
  // Nothing of it stays.
  CHECK(error_message([] { train::find_optimizer("mine"); }).find("is unknown") !=
        std::string::npos);
}

TEST_CASE("an attention variant without .parameters is refused, and names are taken once") {
  const auto make = [](const nn::UnitSpec&, RandomStream&) {
    return std::shared_ptr<nn::Attention>();
  };
  CHECK(error_message([&] { nn::register_attention({.name = "mine", .make = make}); }) ==
        "attention 'mine' is registered without .parameters, the number of parameters of a unit");
  CHECK(error_message([&] {
          nn::register_attention(
              {.name = "se", .make = make, .parameters = [](const nn::UnitSpec&) { return 0; }});
        }) == "attention 'se' is registered twice");
  CHECK(error_message([] {
          data::register_augmentation({.name = "flip", .make = [](const OptionValues&) {
                                         return std::shared_ptr<const data::Augmentation>();
                                       }});
        }) == "augmentation 'flip' is registered twice");
}

}  // namespace
}  // namespace diagrad
