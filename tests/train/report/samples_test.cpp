#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/data/shapes.h"
#include "diagrad/train/report/run_page.h"
#include "diagrad/train/report/samples_html.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/decode_image.h"
#include "tests/support/op_case.h"
#include "tests/train/report/html_fault.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::CountingDataset;
using testing::decode_image;
using testing::from_base64;
using testing::html_fault;
using testing::TemporaryFolder;
using testing::text_of;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Ten images of three classes; `wrong` and `right` say which of them were chosen.
Evaluation evaluation_with(const std::vector<int64_t>& wrong, const std::vector<int64_t>& right) {
  Evaluation evaluation;
  evaluation.examples = 10;
  const auto mistakes = static_cast<int64_t>(wrong.size());
  evaluation.correct = 10 - mistakes;
  for (const int64_t index : wrong) {
    evaluation.samples.wrong.push_back({index, 0, 1, 0.875, 0.0625, 0.125});
  }
  for (const int64_t index : right) {
    evaluation.samples.right.push_back({index, 2, 2, 1.0, 1.0, 1e-9});
  }
  return evaluation;
}

std::string html_of(const SampleImages& samples, const std::vector<std::string>& classes) {
  std::string html = samples_html(samples, classes);
  CHECK(html_fault("\n" + html) == "");
  return html;
}

TEST_CASE("the images are the bytes of the data set, in colour and in grey") {
  for (const int64_t channels : {1, 3}) {
    const Shape shape = {7, 5, channels};
    const CountingDataset set(10, shape, 3);
    const SampleImages samples = sample_images(evaluation_with({4, 8}, {2}), set);
    REQUIRE(samples.wrong.size() == 2);
    const SampleImage& image = samples.wrong[1];
    CHECK(image.source == "counting.bin, record 8");
    CHECK(image.type == "image/png");
    const testing::DecodedImage decoded = decode_image(from_base64(image.base64));
    REQUIRE(decoded.shape == shape);
    for (size_t i = 0; i < decoded.pixels.size(); ++i) {
      CHECK(decoded.pixels[i] == CountingDataset::pixel(8, static_cast<int64_t>(i)));
    }
  }
}

TEST_CASE("large images are shrunk, and all of them fit into a modest page") {
  const data::DatasetSplits pair = data::make_shapes({.size = 224, .train = 1, .test = 24});
  const Evaluation evaluation = evaluation_with({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                                                {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
  const SampleImages samples = sample_images(evaluation, *pair.test);
  CHECK(samples.wrong[0].type == "image/jpeg");
  const testing::DecodedImage decoded = decode_image(from_base64(samples.wrong[0].base64));
  CHECK(decoded.shape == Shape{128, 128, 3});
  const std::string html = html_of(samples, pair.test->info().classes);
  CHECK(contains(html, "width=\"128\" height=\"128\""));
  CHECK(contains(html, "Images of 224 x 224 pixels, shown smaller."));
  CHECK(html.size() < 250000);
  const CountingDataset tall(10, {200, 10, 1}, 3);
  const SampleImages narrow = sample_images(evaluation_with({1}, {}), tall);
  CHECK(narrow.wrong[0].height == 128);
  CHECK(narrow.wrong[0].width == 6);
}

TEST_CASE("samples.json keeps all that the page shows") {
  const TemporaryFolder folder;
  const SampleImages samples =
      sample_images(evaluation_with({4, 8}, {2}), CountingDataset(10, {7, 5, 3}, 3));
  const std::string path = folder.path("samples.json");
  write(path, samples_json(samples));
  const auto again = read_samples(path);
  REQUIRE(again);
  CHECK(samples_json(*again) == samples_json(samples));
  CHECK(samples_html(*again, {}) == samples_html(samples, {}));
  CHECK_FALSE(read_samples(folder.path("none.json")));
}

TEST_CASE("a card says what the model answered, what is true, and how sure it was") {
  const SampleImages samples =
      sample_images(evaluation_with({4, 8}, {2}), CountingDataset(10, {32, 32, 3}, 3));
  const std::string html = html_of(samples, {"deer", "horse", "ship"});
  CHECK(contains(html, "said <b title=\"horse\">horse</b>"));
  CHECK(contains(html, "<i style=\"width:87.5%\"></i></span><em>87.5 %</em>"));
  CHECK(contains(html, "is <b title=\"deer\">deer</b>"));
  CHECK(contains(html, "<i style=\"width:6.2%\"></i></span><em>6.2 %</em>"));
  CHECK(contains(html, "is <b title=\"ship\">ship</b>"));
  CHECK(contains(html, "<em>&gt; 99.9 %</em>"));  // not 100.0 %: the model was not certain
  CHECK(contains(html, "alt=\"deer, taken for horse\""));
  CHECK(contains(html, "title=\"image 8: counting.bin, record 8\""));
  CHECK(contains(html, "class=\"pixels\" width=\"128\" height=\"128\""));
  CHECK(contains(html, "All 2 mistakes on 10 images"));
  CHECK(contains(html, "for 1 of 3 classes"));
  CHECK_FALSE(contains(html, "shown smaller"));
}

TEST_CASE("a page without mistakes, or without right answers, says so") {
  const CountingDataset set(10, {8, 8, 3}, 3);
  std::string html = html_of(sample_images(evaluation_with({}, {2}), set), {"a", "b", "c"});
  CHECK(contains(html, "None: all 10 images were recognised."));
  html = html_of(sample_images(evaluation_with({1}, {}), set), {"a", "b", "c"});
  CHECK(contains(html, "The only mistake on 10 images"));
  CHECK(contains(html, "None: no image was recognised."));
  CHECK(samples_html({}, {}).empty());
}

TEST_CASE("names of classes and files cannot leave their place among the images") {
  const std::string evil = "<script>alert('x')</script>\" onload=\"\x01\xff&amp;";
  SampleImages samples =
      sample_images(evaluation_with({4}, {2}), CountingDataset(10, {8, 8, 3}, 3));
  samples.wrong[0].source = evil;
  const std::string html = html_of(samples, {evil, std::string(500, '<'), evil});
  CHECK_FALSE(contains(html, "<script"));
  CHECK(contains(html, "&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST_CASE("a damaged samples.json costs its images, and puts nothing else into the page") {
  const TemporaryFolder folder;
  const std::string path = folder.path("samples.json");
  const std::string whole =
      samples_json(sample_images(evaluation_with({4, 8}, {2}), CountingDataset(10, {8, 8, 3}, 3)));
  const auto page = [&](const std::string& text) {
    write(path, text);
    std::string html = run_page(read_run_files(folder.path()));
    CHECK(html_fault(html) == "");
    return html;
  };
  for (size_t length = 0; length < whole.size(); length += 97) {
    CHECK_FALSE(contains(page(whole.substr(0, length)), "<img"));
  }
  for (const char* other : {"null", "[]", "{}", R"({"examples":-1,"wrong":{}})",
                            R"({"examples":5,"wrong":[7,null,{}],"right":"x"})"}) {
    CHECK_FALSE(contains(page(other), "<img"));
  }
  const nlohmann::json good = nlohmann::json::parse(whole);
  CHECK(contains(page(good.dump()), "<img"));
  const std::vector<std::pair<std::string, nlohmann::json>> changes = {
      {"base64", "AA\"A"},   {"base64", ""},       {"base64", "===="},
      {"base64", "AAAAA"},   {"base64", "=AAA"},   {"base64", std::string(1 << 17, 'A')},
      {"type", "text/html"}, {"probability", 1.5}, {"probability", "x"},
      {"doubt", -0.5},       {"label", -1},        {"label", 1e300},
      {"predicted", {1, 2}}, {"height", 0},        {"width", 1 << 20}};
  for (const auto& change : changes) {
    nlohmann::json bad = good;
    for (auto& image : bad["wrong"]) image[change.first] = change.second;
    bad["right"].clear();
    CHECK_MESSAGE(!contains(page(bad.dump()), "<img"), change.first);
  }
}

TEST_CASE("a run keeps its sample images, the same for any workers, and resuming makes them anew") {
  const TemporaryFolder folder;
  testing::Recorder recorder;
  for (const int64_t workers : {0, 2}) {
    const std::string run = folder.path(std::to_string(workers));
    TrainJob job = testing::small_job(run);
    job.options.workers = workers;
    if (workers > 0) {
      recorder.act = [](const StepRow& row) {
        if (row.step == 7) std::raise(SIGTERM);
      };
      train(job, recorder);
      CHECK_FALSE(fs::exists(run + "/samples.json"));
      recorder.act = nullptr;
      job.options.resume = "auto";
    }
    train(job, recorder);
    const std::string page = text_of(run + "/report.html");
    CHECK(page == run_page(read_run_files(run)));
    CHECK(html_fault(page) == "");
    CHECK(contains(page, "Sample images"));
    CHECK(contains(page, "<img class=\"pixels\""));
    CHECK_FALSE(contains(page, "<script"));
  }
  const std::string samples = text_of(folder.path("0/samples.json"));
  CHECK(samples == text_of(folder.path("2/samples.json")));
  const auto object = nlohmann::json::parse(samples);
  CHECK(object["examples"] == 20);
  CHECK(object["wrong"].size() == std::min<size_t>(12, object["mistakes"].get<size_t>()));
  CHECK(recorder.messages.empty());
  fs::remove(folder.path("0/samples.json"));
  CHECK_FALSE(contains(run_page(read_run_files(folder.path("0"))), "Sample images"));
}

TEST_CASE("sample images that cannot be written are told once and do not end the run") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  fs::create_directories(run + "/samples.json/in-the-way");
  testing::Recorder recorder;
  CHECK(train(testing::small_job(run), recorder).epochs == 2);
  REQUIRE(recorder.messages.size() == 1);
  CHECK_MESSAGE(contains(recorder.messages[0], "samples.json"), recorder.messages[0]);
  CHECK(fs::exists(run + "/result.json"));
  CHECK(contains(text_of(run + "/report.html"), "finished"));
}

}  // namespace
}  // namespace diagrad::train
