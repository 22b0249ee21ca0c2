#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "diagrad/models/registry.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/optimization.h"
#include "diagrad/train/run/option_effect.h"
#include "diagrad/train/run/run_parts.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

// Which parameters have no weight decay where the user says nothing.

namespace diagrad::train {
namespace {

using Words = std::vector<std::string>;

/// A linear layer, with a token that only one of its forms has.
class TokenNet : public nn::Module {
 public:
  TokenNet(const Shape& image, int64_t classes, bool has_token) {
    fc_ = add("fc", std::make_shared<testing::LinearNet>(image, classes, /*seed=*/1));
    if (has_token) add_parameter("token", Tensor::zeros({1, 1, 4}));
  }
  Tensor forward(const Tensor& images) override { return fc_->forward(images); }

 private:
  std::shared_ptr<testing::LinearNet> fc_;
};

[[maybe_unused]] const bool registered = models::register_model(
    {.name = "token-net",
     .help = "a linear layer beside a token",
     .options = {bool_option("token", true, "whether there is one")},
     .no_decay =
         [](const OptionValues& options) {
           Words patterns = {"1d"};
           if (options.get_bool("token")) patterns.emplace_back("tok*");
           return patterns;
         },
     .head = "fc",
     .make =
         [](const models::ModelSpec& spec, const OptionValues& options) {
           return std::make_shared<TokenNet>(spec.input, spec.classes, options.get_bool("token"));
         }});

Options options_of(const std::string& model, const Words& no_decay = {}) {
  Options options;
  options.model = model;
  options.attention = "none";
  options.data = "shapes:size=16,train=16,test=4";
  options.batch = 4;
  options.workers = 0;
  options.no_decay = no_decay;
  return options;
}

/// The parameters that the optimizer of a run leaves undecayed.
std::string undecayed(const Options& options) {
  const TrainJob job = make_job(options);
  const RunParts parts(job);
  std::string names;
  CHECK(parts.optimizer->groups().at(0).weight_decay == options.weight_decay);
  CHECK(parts.optimizer->groups().at(1).weight_decay == 0.0);
  for (const NamedParameter& parameter : parts.optimizer->groups().at(1).parameters) {
    names += parameter.name + " ";
  }
  return names;
}

TEST_CASE("a model proposes what has no decay, and the user's choice wins") {
  CHECK(undecayed(options_of("token-net")) == "token fc.bias ");
  CHECK(undecayed(options_of("token-net", {"fc.weight"})) == "fc.weight ");
  CHECK(undecayed(options_of("token-net", {"none"})).empty());
  CHECK(undecayed(options_of("resnet8")).empty());  // it proposes nothing
  CHECK(undecayed(options_of("resnet8", {"none"})).empty());
  Options without = options_of("token-net");
  without.model_opt = {"token=false"};
  CHECK(undecayed(without) == "fc.bias ");
  CHECK(testing::error_message([] {
          undecayed(options_of("token-net", {"none", "1d"}));
        }) == "no-decay: 'none' fits none of the 3 parameters; use names with * and ?, or 1d");
}

TEST_CASE("the proposal is part of the options, for --print-config and checkpoints") {
  Options options = options_of("token-net");
  options.fill_defaults();
  CHECK(options.no_decay == Words{"1d", "tok*"});
  CHECK(to_toml(options).find("\nno-decay = [\"1d\",\"tok*\"]\n") != std::string::npos);
  options.no_decay = {"none"};
  options.fill_no_decay();
  CHECK(options.no_decay == Words{"none"});
  Options unknown = options_of("no such model");
  unknown.fill_no_decay();
  CHECK(unknown.no_decay.empty());
  Options wrong = options_of("token-net");
  wrong.model_opt = {"tokn=true"};
  CHECK(testing::error_message([&] {
          wrong.fill_no_decay();
        }).find("model-opt: 'token-net' has no option 'tokn'") == 0);
}

TEST_CASE("none and an empty list mean the same to a resume, other lists do not") {
  const Options empty = options_of("resnet8");
  CHECK(effective_differences(empty, options_of("resnet8", {"none"})).empty());
  CHECK(effective_differences(empty, options_of("resnet8", {"1d"})).size() == 1);
  CHECK(effective_differences(options_of("resnet8", {"1d"}), options_of("resnet8", {"none"}))
            .size() == 1);
}

}  // namespace
}  // namespace diagrad::train
