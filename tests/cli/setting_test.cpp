#include "diagrad/train/cli/setting.h"

#include <doctest/doctest.h>

#include "diagrad/core/toml.h"
#include "diagrad/train/cli/recipes.h"
#include "tests/support/op_case.h"

namespace diagrad::cli {
namespace {

using testing::error_message;

std::string complaint(const Setting& setting) {
  train::Options options;
  return error_message([&] { assign(options, setting); });
}

TEST_CASE("settings reach the members of the options") {
  train::Options options;
  assign(options, {"epochs", {"3", "7"}, false, "--epochs"});
  assign(options, {"weight-decay", {"5e-4"}, false, "--weight-decay"});
  assign(options, {"drop-last", {"true"}, false, "--drop-last"});
  assign(options, {"no-decay", {"1d,*.bias", "fc.*"}, false, "--no-decay"});
  assign(options, {"momentum", {"0.5"}, false, "--momentum"});
  assign(options, {"augment", {"a,b", "c"}, true, "run.toml:1: augment"});
  CHECK(options.epochs == 7);
  CHECK(options.weight_decay == 5e-4);
  CHECK(options.drop_last);
  CHECK(options.no_decay == std::vector<std::string>{"1d", "*.bias", "fc.*"});
  CHECK(options.momentum == 0.5);
  CHECK(options.augment == std::vector<std::string>{"a,b", "c"});
}

TEST_CASE("settings of a wrong name or type are refused") {
  CHECK(complaint({"weight_decay", {"1"}, false, "run.toml:7: weight_decay"}) ==
        "run.toml:7: weight_decay: there is no option of this name, did you mean 'weight-decay'?");
  CHECK(complaint({"epochs", {"3.5"}, false, "--epochs"}) == "--epochs: '3.5' is not an integer");
  CHECK(complaint({"epochs", {"99999999999999999999"}, false, "--epochs"}) ==
        "--epochs: '99999999999999999999' is not an integer");
  CHECK(complaint({"lr", {"nan"}, false, "--lr"}) == "--lr: 'nan' is not a number");
  CHECK(complaint({"drop-last", {"maybe"}, false, "--drop-last"}) ==
        "--drop-last: 'maybe' is not true or false");
  CHECK(complaint({"epochs", {"1", "2"}, true, "run.toml:1: epochs"}) ==
        "run.toml:1: epochs: takes one value, got a list of 2");
}

TEST_CASE("options that moved to a choice are refused with the new spelling") {
  const std::pair<const char*, const char*> moved[] = {
      {"nesterov", "belongs to optimizer sgd, write it as --optimizer sgd:nesterov=VALUE"},
      {"beta1", "belongs to optimizer adamw, write it as --optimizer adamw:beta1=VALUE"},
      {"beta2", "belongs to optimizer adamw, write it as --optimizer adamw:beta2=VALUE"},
      {"epsilon", "belongs to optimizer adamw, write it as --optimizer adamw:epsilon=VALUE"},
      {"milestones", "belongs to schedule multistep, write it as --schedule multistep:milestones="},
      {"gamma", "belongs to schedule multistep, write it as --schedule multistep:gamma=VALUE"},
      {"min-lr", "belongs to schedule cosine, write it as --schedule cosine:min-lr=VALUE"},
      {"peak-at", "belongs to schedule onecycle, write it as --schedule onecycle:peak-at=VALUE"},
      {"start-factor", "belongs to schedule onecycle"},
      {"final-factor", "belongs to schedule onecycle"},
      {"cycle-momentum", "belongs to schedule onecycle"},
      {"base-momentum", "belongs to schedule onecycle"},
      {"max-momentum", "belongs to schedule onecycle"},
      {"label-smoothing", "belongs to task classify, write it as --task classify:label-smoothing="},
  };
  for (const auto& [name, words] : moved) {
    const std::string text = complaint({name, {"1"}, false, std::string("run.toml:7: ") + name});
    CHECK_MESSAGE(text.rfind(std::string("run.toml:7: ") + name + ": " + words, 0) == 0, text);
  }
}

TEST_CASE("the config of a run reads back to the same options") {
  train::Options options;
  options.data = "/data/a # \"b\" \\ \xC3\xA9";
  options.model_opt = {"width=24", "odd=a,b"};
  options.schedule = "multistep:milestones=60+120";
  options.lr = 0.1 + 1e-17;
  options.optimizer = "sgd:nesterov=true";
  options.momentum = 0.8;
  options.threads = 7;
  const std::string text = train::to_toml(options);
  train::Options back;
  for (const Setting& setting : parse_toml(text, "config.toml")) assign(back, setting);
  CHECK(train::to_toml(back) == text);
}

TEST_CASE("every recipe says what it is for and reaches, and holds valid options") {
  CHECK(recipes().size() >= 8);
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    CHECK_FALSE(recipe.help().empty());
    CHECK_FALSE(recipe.reaches().empty());
    train::Options options;
    for (const Setting& setting : recipe.settings()) assign(options, setting);
    options.validate();
  }
  CHECK(error_message([] { find_recipe("quik"); }).find("did you mean 'quick'?") !=
        std::string::npos);
}

/// The authors' settings (models and run_code.py of DIANet), every option named that a default of
/// ours could change.
train::Options authors_settings(const std::string& attention, const std::string& data,
                                int64_t classes) {
  train::Options options;
  options.task = "classify";
  options.model = "resnet164";
  options.model_opt = {};
  options.attention = attention;
  options.sharing = "";  // of the variant: block for SE, stage for DIA-LSTM
  options.classes = classes;
  options.data = data;
  options.val_split = 0;
  options.augment = {"pad-crop:border=4", "flip"};
  options.normalization = "cifar";
  options.mixup = 0.0;
  options.cutmix = 0.0;
  options.mix_switch = 0.5;
  options.drop_last = false;
  options.epochs = 180;
  options.batch = 128;
  options.eval_batch = 100;
  options.accumulate = 1;
  options.optimizer = "sgd";
  options.lr = 0.1;
  options.momentum = 0.9;
  options.weight_decay = 1e-4;
  options.no_decay = {};  // decay on all parameters
  options.clip_grad_norm = 0.0;
  options.ema_decay = 0.0;
  options.schedule = "multistep:milestones=60+120,gamma=0.1";
  options.warmup = "0";
  return options;
}

TEST_CASE("the six recipes of ResNet-164 have the authors' settings, in every option") {
  int count = 0;
  for (const Recipe& recipe : recipes()) {
    const std::string name(recipe.name);
    if (name.find("resnet164") == std::string::npos) continue;
    CAPTURE(name);
    ++count;
    const std::string data = name.substr(0, name.find('-'));
    const std::string attention = name.substr(data.size() + std::string("-resnet164-").size());
    train::Options options;
    for (const Setting& setting : recipe.settings()) assign(options, setting);
    const train::Options expected = authors_settings(attention, data, data == "cifar10" ? 10 : 100);
    CHECK(train::to_toml(options) == train::to_toml(expected));
  }
  CHECK(count == 6);
}

TEST_CASE("recipes cite as published only what the authors' own pages say") {
  const std::pair<const char*, const char*> cited[] = {
      {"cifar10-resnet164-dia-lstm", "not known"}, {"cifar10-resnet164-none", "93.39 and 93.45 %"},
      {"cifar10-resnet164-se", "94.57 %"},         {"cifar100-resnet164-dia-lstm", "76.67 %"},
      {"cifar100-resnet164-none", "73.43 %"},      {"cifar100-resnet164-se", "75.03 and 75.30 %"},
  };
  for (const auto& entry : cited) {
    const std::string reaches = find_recipe(entry.first).reaches();
    CHECK_MESSAGE(reaches.rfind(entry.second, 0) == 0, entry.first << ": " << reaches);
  }
}

}  // namespace
}  // namespace diagrad::cli
