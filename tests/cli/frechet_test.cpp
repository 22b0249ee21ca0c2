#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"
#include "tests/data/npz_bytes.h"
#include "tests/data/support.h"

namespace diagrad::testing {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::string write_npz(const TemporaryFolder& folder, const std::string& name, const Shape& images,
                      const std::vector<int64_t>& labels = {}) {
  const std::string bytes = npz_bytes(images, labels);
  return folder.write(name, {bytes.begin(), bytes.end()});
}

void make_denoiser(const std::string& run, const std::string& task) {
  const ProgramResult training = run_program({"train",
                                              "--task",
                                              task,
                                              "--model",
                                              "unet",
                                              "--model-opt",
                                              "base=4",
                                              "--model-opt",
                                              "mult=1+1",
                                              "--model-opt",
                                              "blocks=1",
                                              "--batch",
                                              "8",
                                              "--epochs",
                                              "1",
                                              "--threads",
                                              "1",
                                              "--workers",
                                              "0",
                                              "--data",
                                              "shapes:size=16,train=24,test=16",
                                              "--out",
                                              run});
  CAPTURE(training.err);
  REQUIRE(training.code == 0);
}

TEST_CASE("eval --frechet prints the distance with all that decides it") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_small_run(run);
  const std::string many = "shapes:size=16,train=80,test=80";
  const Words both = {"eval", many, "--frechet", run, "--reference", many};
  const ProgramResult words = run_program(both);
  CHECK(words.code == 0);
  CHECK(words.err.empty());
  CHECK(contains(words.out, "Frechet distance"));
  CHECK(contains(words.out, "on 16 features of this classifier"));
  CHECK(contains(words.out, "not the Inception FID"));
  CHECK(contains(words.out, "80 training images of " + many));
  const json all = json::parse(run_program(joined(both, {"--json"})).out);
  CHECK(all.at("images") == 80);
  CHECK(all.at("reference_images") == 80);
  CHECK(all.at("features") == 16);
  CHECK(all.at("resize") == "none");
  CHECK(all.at("classifier_hash").get<std::string>().size() == 16);
  CHECK(contains(words.out, all.at("classifier_hash")));
  const json batches = json::parse(run_program(joined(both, {"--json", "--batch", "7"})).out);
  CHECK(batches.at("classifier_frechet_distance").get<double>() ==
        doctest::Approx(all.at("classifier_frechet_distance").get<double>()).epsilon(1e-3));
  const json fewer = json::parse(run_program(joined(both, {"--json", "--count", "70"})).out);
  CHECK(fewer.at("images") == 70);

  // Images that have nothing to do with the reference are farther from it than others of its kind.
  const std::string file = write_npz(folder, "x.npz", {64, 16, 16, 3});
  const json other =
      json::parse(run_program({"eval", file, "--frechet", run, "--reference", many, "--json"}).out);
  CHECK(other.at("images") == 64);
  CHECK(other.at("data") == file);
  CHECK(other.at("classifier_frechet_distance") > all.at("classifier_frechet_distance"));
  // A set and itself.
  const json same =
      json::parse(run_program({"eval", file, "--frechet", run, "--reference", file, "--json"}).out);
  CHECK(same.at("classifier_frechet_distance").get<double>() < 1e-6);
}

TEST_CASE("eval --frechet refuses what makes no distance, in one line") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_small_run(run);
  const std::string many = "shapes:size=16,train=80,test=80";
  const auto refused = [&](const Words& words, int code, const std::string& text) {
    CHECK(refuses(joined({"eval"}, words), code, text));
  };
  refused({many, "--frechet", run}, 2,
          "frechet: 24 reference images of shapes for 16 features, use at least 64 (4 a feature)");
  refused({many, "--frechet", run, "--reference", many, "--count", "63"}, 2,
          "frechet: 63 images of shapes for 16 features, use at least 64");
  refused({many, "--frechet", run, "--reference", many, "--count", "81"}, 2,
          "count: 81 images, shapes has 80");
  refused({"shapes:size=24,test=80", "--frechet", run, "--reference", many}, 3,
          "images are not resized");
  refused({folder.path("none.npz"), "--frechet", run}, 3, "does not exist");
  refused({write_npz(folder, "x.npz", {64, 16, 16, 1}), "--frechet", run, "--reference", many}, 3,
          "images of x.npz are [16,16,1]");
  refused({many, "--frechet", folder.path("none")}, 5, "does not exist");
  refused({many, "--frechet", run, "--data", many}, 2, "data: does not go with --frechet");
  refused({many, "--frechet", run, "--measure", "x"}, 2, "measure: does not go with --frechet");
  refused({run, "--count", "3"}, 2, "count: is of --frechet");
  refused({run, "--reference", "shapes"}, 2, "reference: is of --frechet");
  refused({run, "--measure", "bits-per-dim"}, 2, "measure: task classify has none");
}

TEST_CASE("eval --frechet of a run makes the images of sample") {
  const TemporaryFolder folder;
  const std::string classifier = folder.path("classifier");
  make_small_run(classifier);
  const std::string run = folder.path("run");
  make_denoiser(run, "denoise:steps=50,grid-times=2,grid-images=4");
  const std::string file = folder.path("x.npz");
  REQUIRE(run_program({"sample", run, "--count", "70", "--npz", file, "--quiet"}).code == 0);
  const Words against = {"--frechet", classifier, "--reference", "shapes:size=16,train=80",
                         "--json"};
  const json of_run = json::parse(run_program(joined({"eval", run, "--count", "70"}, against)).out);
  const json of_file = json::parse(run_program(joined({"eval", file}, against)).out);
  CHECK(of_run.at("images") == 70);
  CHECK(of_run.at("classifier_frechet_distance") == of_file.at("classifier_frechet_distance"));
  CHECK(refuses(joined({"eval", run}, against), 2, "count: say how many images"));
  CHECK(refuses(joined({"eval", classifier, "--count", "70"}, against), 5, "makes no images"));
}

TEST_CASE("eval takes the images and labels of an .npz file") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_small_run(run);
  const std::vector<int64_t> labels = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::string file = write_npz(folder, "x.npz", {10, 16, 16, 3}, labels);
  const ProgramResult result = run_program({"eval", run, "--data", file, "--json"});
  CHECK(result.code == 0);
  CHECK(contains(result.err, "not the data that it was trained on"));
  const json all = json::parse(result.out);
  CHECK(all.at("examples") == 10);
  CHECK(all.at("data") == file);
  CHECK(refuses({"eval", run, "--data", write_npz(folder, "y.npz", {10, 16, 16, 3})}, 3,
                "needs the target label"));
}

TEST_CASE("eval --measure bits-per-dim prints the bound of a denoiser") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_denoiser(run, "denoise:steps=8,grid-times=2,grid-images=4");
  const ProgramResult words = run_program({"eval", run, "--measure", "bits-per-dim:images=3"});
  CHECK(words.code == 0);
  CHECK(contains(words.out, "bits_per_dim"));
  CHECK(contains(words.out, "first step (decoder)"));
  const json all =
      json::parse(run_program({"eval", run, "--measure", "bits-per-dim:images=3", "--json"}).out);
  CHECK(all.at("measure") == "bits-per-dim:images=3");
  CHECK(all.at("metric") == "bits_per_dim");
  CHECK(all.at("examples") == 3);
  CHECK(all.at("standard_error").get<double>() >= 0.0);
  double sum = 0.0;
  for (const json& term : all.at("terms")) {
    CHECK(term.get<double>() >= 0.0);
    sum += term.get<double>();
  }
  CHECK(all.at("bits_per_dim").get<double>() == doctest::Approx(sum).epsilon(1e-9));
}

}  // namespace
}  // namespace diagrad::testing
