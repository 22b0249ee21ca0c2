#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "diagrad/nn/safetensors.h"
#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// --init and --freeze, as a user sees them.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

ProgramResult done(const Words& words) {
  ProgramResult result = run_program(words);
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  return result;
}

json json_of(const Words& words) {
  return json::parse(done(words).out);
}

std::string last(const std::string& run) {
  return run + "/checkpoints/last.safetensors";
}

/// The tensors `model.*` of a checkpoint, each as its bytes.
std::map<std::string, std::string> weights_of(const std::string& run) {
  std::map<std::string, std::string> weights;
  for (const auto& [name, tensor] : nn::SafetensorsReader(last(run)).read_all()) {
    if (name.rfind("model.", 0) != 0) continue;
    const auto bytes = static_cast<size_t>(tensor.numel() * size_of(tensor.dtype()));
    weights[name] = std::string(static_cast<const char*>(tensor.raw_data()), bytes);
  }
  return weights;
}

TEST_CASE("a run says what it began with, and so do its plan, its files and its report") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  make_small_run(first);
  const Words init = {"--init", first, "--seed", "5"};
  const std::string out = folder.path("run");
  const json plan = json_of(small_train(out, joined(init, {"--dry-run", "--json", "--quiet"})));
  const auto text = plan.at("init").get<std::string>();
  const std::string count = std::to_string(weights_of(first).size());
  CHECK(text == count + " of " + count + " tensors");
  CHECK(contains(done(small_train(out, joined(init, {"--dry-run"}))).out,
                 "first weights  " + first + ": " + text + "\n"));
  CHECK(
      contains(done(small_train(folder.path("new"), {"--dry-run"})).out, "first weights  fresh\n"));
  CHECK_FALSE(fs::exists(out));
  const ProgramResult trained = done(small_train(out, init));
  CHECK(trained.err.empty());
  CHECK(contains(trained.out, "first weights " + first + ": " + text + "\n"));
  const json state = json::parse(text_of(out + "/run.json"));
  CHECK(state.at("init") == text);
  CHECK(state.at("init_hash").get<std::string>().size() == 16);
  CHECK(state.at("frozen_parameters") == 0);
  CHECK(contains(text_of(out + "/report.html"), "first weights</th><td>" + first + ": " + text));
  const json fresh = json::parse(text_of(first + "/run.json"));
  CHECK(fresh.at("init") == "");
  CHECK_FALSE(contains(text_of(first + "/report.html"), "first weights"));
}

TEST_CASE("a head of another size and another attention are noted, and the run is trained") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  make_small_run(first, {"--classes", "12", "--attention", "se"});
  const ProgramResult result =
      run_program(small_train(folder.path("run"), {"--init", last(first), "--attention", "none"}));
  CAPTURE(result.err);
  CHECK(result.code == 0);
  const std::vector<std::string> notes = lines_of(result.err);
  REQUIRE(notes.size() == 2);
  CHECK(contains(notes[0], "diagrad: note: init: " + last(first) +
                               " has a head of another size, fc keeps its fresh weights: fc.bias "
                               "is f32 [12] there, f32 [10] here, "));
  CHECK(contains(notes[1],
                 "has tensors that the model does not have, they are left out: "
                 "layer1.0.attention."));
  CHECK(contains(result.out, "; fc is fresh\n"));
}

TEST_CASE("a file that cannot be used is one line, in a dry run, too, and leaves no folder") {
  const TemporaryFolder folder;
  const std::string absent = folder.path("absent.safetensors");
  const std::string other = folder.path("other.safetensors");
  nn::write_safetensors(other, {{"stem", Tensor::zeros({1})}}, {});
  const std::string out = folder.path("run");
  for (const Words& more : {Words{}, Words{"--dry-run"}, Words{"--resume", "auto"}}) {
    const auto train = [&](const std::string& file) {
      return small_train(out, joined({"--init", file}, more));
    };
    CHECK(refuses(train(absent), 5, "--init: " + absent + ": does not exist"));
    CHECK(refuses(train(other), 5, "--init: " + other + ": none of its 1 tensors is one of"));
    CHECK(refuses(train(other + ":grid=2x2"), 2, "--init: 'resnet8' has no option 'grid'"));
    CHECK_FALSE(fs::exists(out));
  }
}

TEST_CASE("after a stop the same command goes on, without the file that it began with") {
  const TemporaryFolder folder;
  const std::string file = folder.path("epoch:1.safetensors");
  make_small_run(folder.path("first"));
  fs::copy_file(last(folder.path("first")), file);
  const Words command = {"--init",   file,   "--freeze",     "layer1.0.*", "--epochs",    "2",
                         "--resume", "auto", "--save-every", "1",          "--ema-decay", "0.9"};
  const std::string straight = folder.path("straight");
  done(small_train(straight, command));
  const std::string out = folder.path("run");
  done(small_train(out, joined(command, {"--max-steps", "2"})));
  fs::remove(file);
  const ProgramResult result = done(small_train(out, command));
  CHECK(result.err.empty());
  CHECK(contains(result.out, " tensors, not read again\n"));
  CHECK(text_of(last(out)) == text_of(last(straight)));
  CHECK(events_of(out) == events_of(straight));
  CHECK(json::parse(text_of(out + "/run.json")).at("init") ==
        json::parse(text_of(straight + "/run.json")).at("init"));
  const std::string config = out + "/config.toml";
  CHECK(contains(text_of(config), "init = \"" + file + "\"\nfreeze = [\"layer1.0.*\"]\n"));
  const Words other = {"--freeze",    "layer1.0.*", "--epochs", "2",
                       "--ema-decay", "0.9",        "--resume", "auto"};
  CHECK(refuses(small_train(out, other), 5, "was made with other options: init="));
}

TEST_CASE("frozen parts keep their bytes and are counted wherever parameters are") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  make_small_run(first);
  const std::string out = folder.path("run");
  const Words freeze = {"--init", last(first), "--freeze", "conv1*,bn1*,layer1*"};
  const ProgramResult result = done(small_train(out, freeze));
  const auto before = weights_of(first);
  int64_t changed = 0;
  for (const auto& named : weights_of(out)) {
    const std::string& name = named.first;
    const auto& bytes = named.second;
    CAPTURE(name);
    const bool is_frozen = name.rfind("model.conv1", 0) == 0 || name.rfind("model.bn1", 0) == 0 ||
                           name.rfind("model.layer1", 0) == 0;
    CHECK((bytes == before.at(name)) == is_frozen);
    changed += bytes == before.at(name) ? 0 : 1;
  }
  CHECK(changed > 10);
  const json state = json::parse(text_of(out + "/run.json"));
  const auto frozen = state.at("frozen_parameters").get<int64_t>();
  const auto all = state.at("parameters").get<int64_t>();
  CHECK(frozen > 0);
  CHECK(frozen < all);
  const json summary = json_of({"summary", "--model", "resnet8", "--model-opt", "width=4",
                                "--freeze", "conv1*,bn1*,layer1*", "--json"});
  CHECK(summary.at("frozen_parameters") == frozen);
  CHECK(summary.at("parameters") == all);
  CHECK(
      json_of(small_train(folder.path("plan"), joined(freeze, {"--dry-run", "--json", "--quiet"})))
          .at("frozen_parameters") == frozen);
  CHECK(contains(result.out, " trained and "));
  CHECK(contains(text_of(out + "/report.html"), "conv1*,bn1*,layer1*: "));
  CHECK(contains(text_of(out + "/report.html"), " of them frozen"));
  CHECK(
      contains(done({"summary", "--model", "resnet8", "--freeze", "fc*"}).out, "   not trained; "));
}

TEST_CASE("patterns that freeze nothing or everything are refused with the nearest name") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  for (const Words& more : {Words{}, Words{"--dry-run"}}) {
    const auto train = [&](const char* pattern) {
      return small_train(out, joined({"--freeze", pattern}, more));
    };
    CHECK(refuses(train("layr1*"), 2, "--freeze: 'layr1*' fits none of the "));
    CHECK(refuses(train("layr1*"), 2, ", did you mean 'layer1*'?"));
    CHECK(refuses(train("*"), 2, "parameters are frozen, nothing is left to train"));
  }
  CHECK(refuses({"summary", "--freeze", "layr1*"}, 2, "--freeze: 'layr1*' fits none of the "));
  CHECK_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace diagrad::testing
