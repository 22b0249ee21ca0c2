#include "diagrad/core/option.h"
#include "diagrad/core/toml.h"
#include "diagrad/data/augmentation.h"
#include "diagrad/train/cli/recipes.h"
#include "diagrad/train/cli/setting.h"
#include "diagrad/train/run/job.h"
#include "tests/readers/reader_case.h"

namespace diagrad::testing {
namespace {

void read_config(const std::string& text) {
  train::Options options;
  for (const Setting& setting : parse_toml(text, "run.toml")) {
    cli::assign(options, setting);
  }
  options.validate();
  data::parse_augmentations(options.augment);
}

std::vector<std::string> configs() {
  std::vector<std::string> texts = {
      train::to_toml(train::Options()),
      "lr = 1e-1 # c\naugment = [ 'pad-crop:border=4',\n \"\\u0066lip\" ]\n"};
  for (const cli::Recipe& recipe : cli::recipes()) texts.emplace_back(recipe.text);
  return texts;
}

const ReaderRegistration registered{
    {"config", configs, read_config},
    {"options-json", [] { return std::vector<std::string>{train::to_json(train::Options())}; },
     [](const std::string& text) { train::options_from_json(text).validate(); }}};

}  // namespace
}  // namespace diagrad::testing
