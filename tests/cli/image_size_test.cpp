// The image size that a model states, and images of another one.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"

namespace diagrad::testing {
namespace {

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::vector<int64_t> input_of(const Words& words) {
  const ProgramResult result = run_program(words);
  CHECK(result.code == 0);
  return nlohmann::json::parse(result.out).at("input").get<std::vector<int64_t>>();
}

TEST_CASE("summary and bench take the image size of the model where none is given") {
  using Sizes = std::vector<int64_t>;
  const Words vit = {"--model", "vit-tiny-patch16-224", "--model-opt", "depth=1,dim=12", "--json"};
  CHECK(input_of(joined({"summary"}, vit)) == Sizes{224, 224, 3});
  CHECK(input_of(joined({"summary", "--input", "32x48x3"}, vit)) == Sizes{32, 48, 3});
  const Words steps = {"bench", "--batch", "1", "--steps", "1", "--warmup", "1"};
  CHECK(input_of(joined(steps, vit)) == Sizes{224, 224, 3});
  CHECK(input_of({"summary", "--model", "resnet8", "--json"}) == Sizes{32, 32, 3});
}

TEST_CASE("summary, bench and the report tell the tokens and heads of a transformer") {
  const std::string sizes = "17 tokens of width 8 (4x4 patches and a class token), 2 heads of 4";
  const Words model = {"--model", "vit", "--model-opt", "dim=8,depth=1,heads=2,patch=8"};
  CHECK(contains(run_program(joined({"summary"}, model)).out, sizes));
  const Words steps = {"bench", "--batch", "1", "--steps", "1", "--warmup", "1"};
  CHECK(contains(run_program(joined(steps, model)).out, sizes));
  CHECK_FALSE(contains(run_program({"summary", "--model", "resnet8"}).out, "tokens"));
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Words train = {"train", "--data", "shapes:train=8,test=8", "--batch", "8", "--epochs", "1",
                       "--out", run};
  REQUIRE(run_program(joined(train, model)).code == 0);
  CHECK(contains(text_of(run + "/run.json"), "\"model_sizes\": \"" + sizes + "\""));
  const std::string report = text_of(run + "/report.html");
  CHECK(contains(report, sizes));
  CHECK(contains(report, "parameters without weight decay</summary>\n<p>cls_token, pos_embed"));
}

TEST_CASE("eval on images of another size says what the model does to them") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Words train = {"train",
                       "--data",
                       "shapes:train=8,test=8",
                       "--batch",
                       "8",
                       "--epochs",
                       "1",
                       "--model",
                       "vit",
                       "--model-opt",
                       "dim=8,depth=1,heads=2,patch=8",
                       "--out",
                       run};
  REQUIRE(run_program(train).code == 0);
  const Words other = {"eval", run, "--data", "shapes:train=10,test=10,size=40"};
  const ProgramResult result = run_program(other);
  CHECK(result.code == 0);
  CHECK(contains(result.err, "these are [40,40,3]: its positions are interpolated"));
  CHECK_FALSE(contains(run_program({"eval", run}).err, "interpolated"));
  const ProgramResult odd = run_program({"eval", run, "--data", "shapes:train=10,test=10,size=36"});
  CHECK(odd.code == 2);
  CHECK(contains(odd.err, "images of 36x36 pixels are not divisible into patches of 8x8"));
}

}  // namespace
}  // namespace diagrad::testing
