#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diagrad/nn/safetensors.h"
#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// What programs read: the documented keys, of the documented types, with values that agree.

namespace diagrad::testing {
namespace {

using nlohmann::json;

json json_of(const Words& words) {
  const ProgramResult result = run_program(words);
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  return json::parse(result.out);
}

bool is_share(const json& value) {
  return value.is_number() && value.get<double>() >= 0.0 && value.get<double>() <= 1.0;
}

int64_t sum(const json& numbers) {
  int64_t total = 0;
  for (const json& number : numbers) total += number.get<int64_t>();
  return total;
}

/// Rows add up to the examples, the diagonal to the accuracy, each row to the accuracy of its
/// class.
void check_scores(const json& scores, int64_t examples, int64_t classes) {
  CHECK(scores.at("examples") == examples);
  const json& confusion = scores.at("confusion");
  const json& per_class = scores.at("per_class");
  REQUIRE(static_cast<int64_t>(confusion.size()) == classes);
  REQUIRE(static_cast<int64_t>(per_class.size()) == classes);
  int64_t all = 0;
  int64_t correct = 0;
  for (size_t k = 0; k < confusion.size(); ++k) {
    REQUIRE(static_cast<int64_t>(confusion[k].size()) == classes);
    const int64_t row = sum(confusion[k]);
    const auto hits = confusion[k][k].get<int64_t>();
    all += row;
    correct += hits;
    if (row == 0) {
      CHECK(per_class[k].is_null());
    } else {
      CHECK(per_class[k] == static_cast<double>(hits) / static_cast<double>(row));
    }
  }
  CHECK(all == examples);
  CHECK(scores.at(scores.contains("accuracy") ? "accuracy" : "last") ==
        static_cast<double>(correct) / static_cast<double>(examples));
}

TEST_CASE("summary: its layers add up to its totals") {
  for (const char* attention : {"none", "se", "dia-lstm"}) {
    const json all = json_of(
        {"summary", "--model", "resnet20", "--attention", attention, "--classes", "100", "--json"});
    CHECK(all.at("format") == 2);
    CHECK(all.at("model") == "resnet20");
    CHECK(all.at("attention") == attention);
    CHECK(all.at("sharing") == (attention == std::string("dia-lstm") ? "stage" : "block"));
    CHECK(all.at("classes") == 100);
    CHECK(all.at("input") == json({32, 32, 3}));
    int64_t parameters = 0;
    int64_t multiply_adds = 0;
    for (const json& layer : all.at("layers")) {
      CHECK(layer.at("name").is_string());
      CHECK(layer.at("operation").is_string());
      CHECK(layer.at("output").is_array());
      CHECK(layer.at("calls").get<int64_t>() >= 1);
      parameters += layer.at("parameters").get<int64_t>();
      multiply_adds += layer.at("multiply_adds").get<int64_t>();
    }
    CHECK(all.at("parameters") == parameters);
    CHECK(all.at("multiply_adds") == multiply_adds);
  }
}

TEST_CASE("summary counts a shared cell once in parameters and per call in multiply-adds") {
  const auto of = [](const std::string& sharing) {
    return json_of({"summary", "--model", "resnet164", "--attention", "dia-lstm", "--sharing",
                    sharing, "--json"});
  };
  const json stage = of("stage");
  const json block = of("block");
  CHECK(stage.at("parameters").get<int64_t>() < block.at("parameters").get<int64_t>());
  CHECK(stage.at("multiply_adds") == block.at("multiply_adds"));
  int64_t calls = 0;
  for (const json& layer : stage.at("layers")) {
    const auto name = layer.at("name").get<std::string>();
    if (name.find("attention.cells.0") != std::string::npos)
      calls += layer.at("calls").get<int64_t>();
  }
  CHECK(calls == 54);
}

TEST_CASE("a run's result, its logs and an evaluation of it agree") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const json said =
      json_of(small_train(out, {"--epochs", "2", "--seed", "3", "--json", "--quiet"}));
  const json result = json::parse(text_of(out + "/result.json"));
  CHECK(said.at("folder") == out);
  for (const auto& item : result.items()) CHECK(said.at(item.key()) == item.value());
  CHECK(result.at("task") == "classify");
  CHECK(result.at("epochs") == 2);
  CHECK(result.at("steps") == 6);
  CHECK(result.at("seed") == 3);
  CHECK(result.at("seconds").get<double>() > 0.0);
  CHECK(result.at("images_per_second").get<double>() > 0.0);
  const json& test = result.at("test");
  CHECK(test.at("metric") == "accuracy");
  CHECK(is_share(test.at("last")));
  CHECK(test.at("best").get<double>() >= test.at("last").get<double>());
  const auto best_epoch = test.at("best_epoch").get<int64_t>();
  CHECK((best_epoch == 1 || best_epoch == 2));
  check_scores(test, 16, 10);

  const json last = json_of(
      {"eval", out + "/checkpoints/last.safetensors", "--json", "--quiet", "--threads", "1"});
  CHECK(last.at("task") == "classify");
  CHECK(last.at("epoch") == 2);
  CHECK(last.at("accuracy") == test.at("last"));
  CHECK(last.at("loss") == test.at("metrics").at("loss"));
  CHECK(last.at("confusion") == test.at("confusion"));
  check_scores(last, 16, 10);
  const json best = json_of({"eval", out, "--json", "--quiet", "--threads", "2", "--batch", "5"});
  CHECK(best.at("epoch") == best_epoch);
  CHECK(best.at("accuracy") == test.at("best"));
  const json exact = json_of({"eval", out, "--json", "--quiet", "--math", "exact"});
  CHECK(exact.at("loss").get<double>() == doctest::Approx(best.at("loss").get<double>()));

  const json summary = json_of(
      {"summary", "--model", "resnet8", "--model-opt", "width=4", "--input", "16x16x3", "--json"});
  CHECK(summary.at("parameters") == result.at("parameters"));
}

TEST_CASE("saved logits give the accuracy and the loss that eval tells") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const std::string file = folder.path("logits.safetensors");
  const json scores = json_of({"eval", out, "--json", "--save-logits", file, "--quiet"});
  const nn::SafetensorsReader reader(file);
  const nn::TensorMap tensors = reader.read_all();
  REQUIRE(tensors.size() == 2);
  const Tensor& logits = tensors.at("logits");
  const Tensor& labels = tensors.at("labels");
  REQUIRE(logits.dtype() == DType::f32);
  REQUIRE(labels.dtype() == DType::i64);
  REQUIRE(logits.shape() == Shape{16, 10});
  REQUIRE(labels.shape() == Shape{16});
  int64_t correct = 0;
  double loss = 0.0;
  for (int64_t i = 0; i < 16; ++i) {
    const float* row = logits.data<float>() + i * 10;
    const int64_t label = labels.data<int64_t>()[i];
    CHECK(label == i % 10);  // the order of the set
    correct += std::max_element(row, row + 10) - row == label ? 1 : 0;
    double exponentials = 0.0;
    for (int64_t k = 0; k < 10; ++k) exponentials += std::exp(static_cast<double>(row[k]));
    loss += std::log(exponentials) - static_cast<double>(row[label]);
  }
  CHECK(scores.at("accuracy") == static_cast<double>(correct) / 16.0);
  CHECK(scores.at("loss").get<double>() == doctest::Approx(loss / 16.0).epsilon(1e-12));
}

TEST_CASE("several runs tell mean and standard deviation of their own results") {
  const TemporaryFolder folder;
  const std::string out = folder.path("runs");
  const json all = json_of(small_train(out, {"--runs", "2", "--json", "--quiet"}));
  CHECK(all.at("format") == 2);
  REQUIRE(all.at("runs").size() == 2);
  CHECK(all.at("runs")[0].at("seed") == 0);
  CHECK(all.at("runs")[1].at("seed") == 1);
  const auto a = all.at("runs")[0].at("test").at("last").get<double>();
  const auto b = all.at("runs")[1].at("test").at("last").get<double>();
  const json& last = all.at("test").at("last");
  CHECK(last.at("n") == 2);
  CHECK(last.at("mean").get<double>() == doctest::Approx((a + b) / 2.0));
  CHECK(last.at("std").get<double>() == doctest::Approx(std::abs(a - b) / std::sqrt(2.0)));
}

TEST_CASE("a dry run tells the plan that the run then keeps, and writes nothing") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const json plan = json_of(small_train(out, {"--epochs", "2", "--dry-run", "--json", "--quiet"}));
  CHECK_FALSE(std::filesystem::exists(out));
  const json result = json_of(small_train(out, {"--epochs", "2", "--json", "--quiet"}));
  for (const char* key : {"task", "model", "attention", "data", "parameters", "epochs", "steps"}) {
    CAPTURE(key);
    CHECK(plan.at(key) == result.at(key));
  }
}

TEST_CASE("lists give the entries that other commands take, in the order of their numbers") {
  Words models;
  const json networks = json_of({"models", "--json"});
  for (const json& model : networks.at("models")) {
    models.push_back(model.at("name").get<std::string>());
  }
  const auto place = [&](const char* name) {
    return std::find(models.begin(), models.end(), name) - models.begin();
  };
  CHECK(place("resnet8") < place("resnet20"));
  CHECK(place("resnet20") < place("resnet110"));
  CHECK(place("resnet110") < static_cast<long>(models.size()));
  const json variants = json_of({"attention", "--json"});
  for (const json& variant : variants.at("attention")) {
    const auto name = variant.at("name").get<std::string>();
    CAPTURE(name);
    for (const char* key : {"citation", "sharing", "form", "state"}) {
      CHECK(variant.at(key).is_string());
    }
    const json summary = json_of({"summary", "--model", "resnet8", "--attention", name, "--json"});
    CHECK(summary.at("sharing") == variant.at("sharing"));
  }
  const json recipes = json_of({"recipes", "--json"});
  for (const json& recipe : recipes.at("recipes")) {
    CHECK(recipe.at("reaches").is_string());
    CHECK(recipe.at("text").get<std::string>().rfind("# ", 0) == 0);
  }
}

TEST_CASE("info has types that a program can rely on") {
  const json info = json_of({"info", "--json"});
  for (const char* key :
       {"version", "commit", "compiler", "build_type", "architecture", "instruction_set", "cpu"}) {
    CAPTURE(key);
    CHECK(info.at(key).is_string());
  }
  CHECK(info.at("cpu_runs_this_build") == true);
  CHECK(info.at("cuda").is_boolean());
  CHECK(info.at("cores").get<int64_t>() >= 1);
  CHECK(info.at("threads").get<int64_t>() >= 1);
  CHECK(info.at("devices") == json({"cpu"}));
  CHECK(info.at("libraries").at("fmt").is_string());
}

}  // namespace
}  // namespace diagrad::testing
