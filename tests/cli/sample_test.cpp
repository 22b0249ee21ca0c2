#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/core/random.h"
#include "diagrad/data/image_npz.h"
#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kCount = 70;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const char* const kConditional = "base=4,mult=1+2,blocks=1,attn=8,classes=10";
const char* const kUnconditional = "base=4,mult=1+2,blocks=1,attn=8";

/// Two steps of a small U-net with an average of its weights.
void make_denoiser(const std::string& out, const std::string& model = kConditional,
                   const std::string& ema_decay = "0.5") {
  const ProgramResult result = run_program({"train",
                                            "--task",
                                            "denoise:steps=100,grid-images=4,grid-times=2",
                                            "--model",
                                            "unet",
                                            "--model-opt",
                                            model,
                                            "--attention",
                                            "none",
                                            "--data",
                                            "shapes:size=16,train=24,test=16",
                                            "--optimizer",
                                            "adamw",
                                            "--lr",
                                            "0.01",
                                            "--ema-decay",
                                            ema_decay,
                                            "--batch",
                                            "8",
                                            "--epochs",
                                            "1",
                                            "--max-steps",
                                            "2",
                                            "--augment",
                                            "flip",
                                            "--threads",
                                            "1",
                                            "--workers",
                                            "0",
                                            "--out",
                                            out});
  CHECK(result.err.empty());
  REQUIRE(result.code == 0);
}

/// `sample` of 70 images in 4 steps to `npz`.
Words sample(const std::string& run, const std::string& npz, const Words& more = {}) {
  return joined({"sample", run, "--count", std::to_string(kCount), "--steps", "4", "--sampler",
                 "ddpm", "--npz", npz},
                more);
}

/// What the file holds after the command, which must be done without an error.
std::string sampled(const std::string& run, const std::string& npz, const Words& more = {}) {
  const ProgramResult result = run_program(sample(run, npz, more));
  CAPTURE(result.out);
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  CHECK_FALSE(fs::exists(npz + ".partial"));
  return text_of(npz);
}

/// 0 where there is no file.
uint64_t bytes_of(const std::string& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

TEST_CASE("any batch and any threads give the same files") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run);
  const std::string whole = sampled(run, folder.path("a.npz"), {"--grid", folder.path("a.png")});
  CHECK(std::ssize(whole) == data::ImageNpz::whole_bytes({16, 16, 3}, kCount, true));
  for (const char* batch : {"1", "7", "64"}) {
    for (const char* threads : {"1", "2", "3"}) {
      const std::string name = folder.path(std::string("b") + batch + "-" + threads);
      CAPTURE(name);
      CHECK(sampled(run, name, {"--batch", batch, "--threads", threads, "--grid", name + ".png"}) ==
            whole);
      CHECK(text_of(name + ".png") == text_of(folder.path("a.png")));
    }
  }
  CHECK(sampled(run, folder.path("raw"), {"--weights", "raw"}) != whole);
  CHECK(sampled(run, folder.path("seed"), {"--seed", "1"}) != whole);
  CHECK(sampled(run, folder.path("class"), {"--class", "3,4", "--guidance", "2"}) != whole);
}

TEST_CASE("killed at any moment, the same command goes on to the same files") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run);
  const std::string whole = sampled(run, folder.path("a.npz"), {"--grid", folder.path("a.png")});
  const std::string npz = folder.path("b.npz");
  const std::string grid = folder.path("b.png");
  const Words words = sample(run, npz, {"--grid", grid, "--batch", "5", "--threads", "1"});
  RandomStream random(11, stream_id("kills"));
  // When the file has grown by 0 to 6 images, whatever time that takes.
  int killed = 0;
  for (int i = 0; i < 10; ++i) {
    ProgramOptions options;
    const uint64_t grown = bytes_of(npz + ".partial") + random.below(6 * 16 * 16 * 3);
    options.watch = [&](const std::string& /*out*/, int process) {
      while (bytes_of(npz + ".partial") <= grown && !fs::exists(npz)) usleep(200);
      kill(process, SIGKILL);
    };
    const int code = run_program(words, options).code;
    CHECK((code == 0 || code == 128 + SIGKILL));
    if (code != 0) ++killed;
  }
  CHECK(killed >= 5);
  CHECK(run_program(words).code == 0);
  CHECK(text_of(npz) == whole);
  CHECK(text_of(grid) == text_of(folder.path("a.png")));
  CHECK_FALSE(fs::exists(npz + ".partial"));
}

TEST_CASE("what is there is kept: the rest is made, a finished file is left, a grid is added") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run);
  const std::string npz = folder.path("a.npz");
  const std::string whole = sampled(run, npz);
  // As after a kill behind 30 images and a half.
  fs::rename(npz, npz + ".partial");
  const auto file_bytes = fs::file_size(npz + ".partial");
  fs::resize_file(npz + ".partial", file_bytes - 40 * 16 * 16 * 3);
  const ProgramResult rest = run_program(sample(run, npz, {"--json"}));
  REQUIRE(rest.code == 0);
  const json result = json::parse(rest.out);
  CHECK(result.at("resumed_at") > 20);
  CHECK(result.at("resumed_at") < 32);
  const std::string page = text_of(std::string(DIAGRAD_SOURCE_DIR) + "/docs/output.md");
  for (const auto& item : result.items()) {
    CAPTURE(item.key());
    CHECK(contains(page, "`" + item.key() + "`"));
  }
  CHECK(text_of(npz) == whole);

  const ProgramResult again = run_program(sample(run, npz));
  CHECK(again.code == 0);
  CHECK(contains(again.out, "already done"));
  CHECK(run_program(sample(run, npz, {"--grid", folder.path("a.png")})).code == 0);
  CHECK(text_of(folder.path("a.png")).starts_with("\x89PNG"));
  CHECK(fails(sample(run, npz, {"--grid", folder.path("a.png"), "--columns", "3"}), 2,
              "grid: " + folder.path("a.png") + " exists and is another grid"));
  CHECK(text_of(npz) == whole);
}

TEST_CASE("the images of another command are refused with what differs, and replaced by --force") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run);
  const std::string npz = folder.path("a.npz");
  const std::string whole = sampled(run, npz);
  const ProgramResult other =
      run_program(sample(run, npz, {"--seed", "1", "--spacing", "leading"}));
  CHECK(is_refusal(other, 2,
                   "npz: the images of " + npz +
                       " are of another command: seed=0 there, 1 here; "
                       "spacing=\"trailing\" there, \"leading\" here; choose another"));
  CHECK(text_of(npz) == whole);
  CHECK(sampled(run, npz, {"--seed", "1", "--force"}) != whole);
  CHECK(sampled(run, npz, {"--force"}) == whole);

  std::ofstream(folder.path("mine.npz")) << "mine";
  CHECK(fails(sample(run, folder.path("mine.npz")), 2,
              "npz: " + folder.path("mine.npz") + " exists, and there is no "));
  CHECK(text_of(folder.path("mine.npz")) == "mine");
  std::ofstream(folder.path("mine.png")) << "mine";
  CHECK(fails({"sample", run, "--grid", folder.path("mine.png")}, 2,
              folder.path("mine.png") + " exists, and there is no "));
  CHECK(text_of(folder.path("mine.png")) == "mine");
}

TEST_CASE("a grid alone is written, and says how it was made") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run, kUnconditional);
  const std::string grid = folder.path("grid.png");
  const Words words = {"sample", run,         "--grid", grid,      "--count",
                       "6",      "--columns", "2",      "--steps", "3"};
  const ProgramResult result = run_program(words);
  REQUIRE(result.code == 0);
  CHECK(contains(result.out, "unet with attention none, moving average of 2 updates"));
  CHECK(contains(result.out, "sampler ddim, 3 of 100 steps, trailing spacing, seed 0\n"));
  CHECK(contains(result.out, "6 images [16,16,3], "));
  CHECK(text_of(grid).starts_with("\x89PNG"));
  CHECK_FALSE(fs::exists(grid + ".partial"));
  CHECK(json::parse(text_of(grid + ".json")).at("columns") == 2);
  CHECK(contains(run_program(words).out, "already done"));
}

TEST_CASE("mistakes of sample are one line, and leave nothing") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const std::string classifier = folder.path("classifier");
  const std::string plain = folder.path("plain");
  make_denoiser(run);
  make_denoiser(plain, kUnconditional, "0");
  make_small_run(classifier);
  const auto before = contents(folder.path());
  const std::string npz = folder.path("a.npz");
  CHECK(refuses(sample(classifier, npz), 5, "is of task classify, which makes no images"));
  CHECK(refuses({"sample", "--npz", npz}, 2, "sample: name a checkpoint file or a run folder"));
  CHECK(refuses({"sample", run}, 2, "npz: name a file for the images"));
  CHECK(refuses(sample(run, npz, {"--steps", "0"}), 2, "steps: 0 is out of range, use 1 to"));
  CHECK(refuses(sample(run, npz, {"--steps", "101"}), 2, "the schedule has 100; use 1 to 100"));
  CHECK(
      refuses(sample(run, npz, {"--class", "10"}), 2, "class 10, but the net has classes 0 to 9"));
  CHECK(refuses(sample(run, npz, {"--class", "1,x"}), 2, "class: 'x' is not an integer"));
  CHECK(refuses(sample(run, npz, {"--sampler", "dim"}), 2, "did you mean 'ddim'?"));
  CHECK(refuses(sample(run, npz, {"--sampler", "ddim:eta=x"}), 2, "eta=x of 'ddim' must be"));
  CHECK(refuses(sample(run, npz, {"--spacing", "even"}), 2, "spacing: "));
  CHECK(refuses(sample(run, npz, {"--count", "0"}), 2, "count: 0 is out of range"));
  CHECK(refuses(sample(run, npz, {"--weights", "all"}), 2, "'all' is neither ema nor raw"));
  CHECK(refuses(sample(plain, npz, {"--class", "1"}), 2, "but the net takes no class"));
  CHECK(refuses(sample(plain, npz, {"--guidance", "2"}), 2, "needs a net that was trained with a"));
  CHECK(refuses(sample(plain, npz, {"--weights", "ema"}), 5, "holds no moving average"));
  CHECK(refuses(sample(run, npz, {"--grid", npz}), 2, "is the file of --npz as well"));
  CHECK(refuses(sample(run, run), 2, "npz: " + run + " is a folder"));
  CHECK(refuses(sample(run, npz, {"--grid", folder.path("a.png"), "--columns", "1000"}), 2,
                "columns: 1000 images of 16 pixels are wider"));
  CHECK(fails(sample(run, folder.path("none/a.npz")), 2,
              "none/a.npz.partial: cannot write: No such file or directory; name a file in a"));
  CHECK(fails(sample(run, npz, {"--count", "1000000000000"}), 5,
              "MiB of free space, 1,000,000,000,000 images [16,16,3] need "));
  CHECK(contents(folder.path()) == before);
  CHECK(contains(run_program({"sample", "--sampler", "help"}).out, "dpm-solver++  "));
}

TEST_CASE("a full disk in the midst is one line, and the images until then stay") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run);
  const std::string whole = sampled(run, folder.path("a.npz"));
  const std::string npz = folder.path("b.npz");
  ProgramOptions options;
  options.largest_file = std::ssize(whole) / 2;
  CHECK(fails(sample(run, npz, {"--batch", "4"}), 5, "b.npz.partial: cannot write: File too large",
              options));
  CHECK_FALSE(fs::exists(npz));
  CHECK(fs::file_size(npz + ".partial") > 0);
  CHECK(sampled(run, npz, {"--batch", "4"}) == whole);
}

}  // namespace
}  // namespace diagrad::testing
