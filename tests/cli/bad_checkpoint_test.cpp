#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Checkpoints that are damaged or of another model: exit code 5, what is wrong by file, and the run
// folder as it was.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string flipped(std::string text, size_t place) {
  text[place] = static_cast<char>(text[place] ^ 1);
  return text;
}

std::string checkpoint(const std::string& run, const std::string& name) {
  return run + "/checkpoints/" + name + ".safetensors";
}

TEST_CASE("a damaged checkpoint is refused by eval and resume, which change nothing") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "1"});
  const std::string file = folder.path("copy.safetensors");
  const std::string good = text_of(checkpoint(out, "last"));
  const auto before = contents(out);
  const std::pair<std::string, std::string> damages[] = {
      {flipped(good, good.size() - 5), "is damaged: its checksum is "},
      {flipped(good, good.size() / 2), "is damaged: its checksum is "},
      {good.substr(0, good.size() - 1), "copy.safetensors: "},
      {good.substr(0, 100), "copy.safetensors: announces a header of"},
      {good + "more", "copy.safetensors: "},
      {"", "has 0 bytes, too few for a safetensors file"},
      {std::string(1000, 'x'), "it is damaged or no safetensors file"}};
  for (const auto& damage : damages) {
    write(file, damage.first);
    CHECK(refuses({"eval", file}, 5, damage.second));
    const std::string other = folder.path("other");
    CHECK(refuses(small_train(other, {"--resume", file}), 5, damage.second));
    CHECK_FALSE(fs::exists(other));
  }
  CHECK(contents(out) == before);
}

TEST_CASE("where the last checkpoint is damaged, resume says so and goes on from the one before") {
  const TemporaryFolder folder;
  const Words two = {"--epochs", "2", "--save-every", "2"};
  const std::string straight = folder.path("straight");
  make_small_run(straight, two);
  const std::string out = folder.path("run");
  make_small_run(out, two);
  write(checkpoint(out, "last"), flipped(text_of(checkpoint(out, "last")), 20000));
  const ProgramResult result = run_program(small_train(out, joined(two, {"--resume", "auto"})));
  CHECK(result.code == 0);
  CHECK(lines_of(result.err).size() == 1);
  CHECK(result.err.rfind("diagrad: note: " + checkpoint(out, "last") + ": is damaged: ", 0) == 0);
  CHECK(result.err.find("; continuing with the one before it") != std::string::npos);
  CHECK(result.out.find("goes on after step 4 of 6") != std::string::npos);
  CHECK(text_of(checkpoint(out, "last")) == text_of(checkpoint(straight, "last")));
}

TEST_CASE("where both are damaged, resume stops and removes nothing") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "2"});
  for (const char* name : {"last", "last.prev"}) {
    write(checkpoint(out, name), flipped(text_of(checkpoint(out, name)), 20000));
  }
  const auto before = contents(out);
  CHECK(
      refuses(small_train(out, {"--epochs", "2", "--resume", "auto"}), 5, "; and the one before"));
  CHECK(contents(out) == before);
}

TEST_CASE("an evaluation goes on with the checkpoint that is whole, and says so") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "2"});
  fs::remove(checkpoint(out, "best"));
  write(checkpoint(out, "last"), "garbage, more of it");
  const ProgramResult result = run_program({"eval", out, "--json"});
  CHECK(result.code == 0);
  CHECK(result.err.rfind("diagrad: note: " + checkpoint(out, "last"), 0) == 0);
  CHECK(result.out.find("last.prev.safetensors") != std::string::npos);
}

TEST_CASE("resuming with another model, other settings or other data is refused") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  const std::pair<Words, std::string> others[] = {
      {{"--attention", "none"}, "is of another model or setting: it has model.layer1.attention"},
      {{"--model", "resnet14"}, "it lacks "},
      {{"--lr", "0.3"}, "was made with other options: lr=0.1 there, 0.3 here; give the same ones"},
      {{"--batch", "4"}, "batch=8 there, 4 here"},
      {{"--data", "shapes:size=24,train=24,test=16"},
       "was trained on other data: image size: [16,16,3] there, [24,24,3] here; "}};
  for (const auto& other : others) {
    const Words words = joined({"--resume", "auto"}, other.first);
    CHECK(refuses(small_train(out, words), 5, other.second));
    CHECK(contents(out) == before);
  }
}

TEST_CASE("a folder that holds a run is not written over") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  CHECK(
      refuses(small_train(out), 2,
              "--out: " + out + " holds a run already; continue it with --resume auto or choose"));
  CHECK(contents(out) == before);
}

TEST_CASE("paths that hold no checkpoint are refused with what was expected") {
  const TemporaryFolder folder;
  CHECK(refuses({"eval", folder.path("none")}, 5,
                "does not exist, expected a run folder or a checkpoint file"));
  CHECK(refuses({"eval", folder.path()}, 5, "holds no checkpoint; expected checkpoints/best."));
  CHECK(refuses({"eval", "/dev/zero"}, 5, "/dev/zero: is not a regular file"));
  CHECK(refuses({"report", folder.path()}, 2, "holds no run: there is no config.toml"));
}

}  // namespace
}  // namespace diagrad::testing
