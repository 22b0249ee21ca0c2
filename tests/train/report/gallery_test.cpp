#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "diagrad/data/shapes.h"
#include "diagrad/train/report/blocks_html.h"
#include "diagrad/train/report/run_page.h"
#include "diagrad/train/tasks/gallery.h"
#include "tests/support/decode_image.h"
#include "tests/train/report/html_fault.h"
#include "tests/train/report/reported_run.h"
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
using testing::train_with_report;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

constexpr int64_t kErrors = 2;

/// A gallery of images of a set: the first ones as errors, the others as right predictions.
Gallery gallery_of(const data::Dataset& set, const std::vector<int64_t>& indices) {
  Gallery gallery{.title = "Images"};
  for (const int64_t index : indices) {
    Gallery::Image image = gallery_image(set, index);
    const bool is_error = std::ssize(gallery.images) < kErrors;
    image.description = is_error ? "deer, predicted as horse" : "ship";
    if (is_error) {
      image.captions = {
          {.label = "predicted", .text = "horse", .share = 0.875, .rest = 0.125, .is_good = false},
          {.label = "true", .text = "deer", .share = 0.0625, .rest = 0.9375}};
    } else {
      image.captions = {{.label = "true", .text = "ship", .share = 1.0, .rest = 1e-9}};
    }
    gallery.images.push_back(std::move(image));
  }
  return gallery;
}

/// As blocks.json keeps it.
ShownGallery shown(const Gallery& gallery) {
  const TemporaryFolder folder;
  write(folder.path("blocks.json"), blocks_json({gallery}, {}));
  return std::get<ShownGallery>(read_blocks(folder.path("blocks.json")).blocks.at(0));
}

std::string html_of(const ShownGallery& gallery) {
  std::string html = gallery_html(gallery);
  CHECK(html_fault("\n" + html) == "");
  return html;
}

TEST_CASE("the images are the bytes of the data set, in colour and in grey") {
  for (const int64_t channels : {1, 3}) {
    const Shape shape = {7, 5, channels};
    const ShownGallery gallery = shown(gallery_of(CountingDataset(10, shape, 3), {4, 8, 2}));
    REQUIRE(gallery.images.size() == 3);
    const ShownImage& image = gallery.images[1];
    CHECK(image.index == 8);
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
  std::vector<int64_t> all(24);
  std::iota(all.begin(), all.end(), 0);
  const ShownGallery gallery = shown(gallery_of(*pair.test, all));
  REQUIRE(gallery.images.size() == 24);
  CHECK(gallery.images[0].type == "image/jpeg");
  const testing::DecodedImage decoded = decode_image(from_base64(gallery.images[0].base64));
  CHECK(decoded.shape == Shape{128, 128, 3});
  const std::string html = html_of(gallery);
  CHECK(contains(html, "width=\"128\" height=\"128\""));
  CHECK(contains(html, "Images are shown smaller than they are."));
  CHECK(html.size() < 250000);
  const ShownGallery narrow = shown(gallery_of(CountingDataset(10, {200, 10, 1}, 3), {1}));
  CHECK(narrow.images[0].height == 200);
  CHECK(narrow.images[0].shown_height == 128);
  CHECK(narrow.images[0].shown_width == 6);
}

TEST_CASE("an image shows what was predicted, what is true, and how confident the model was") {
  const ShownGallery gallery = shown(gallery_of(CountingDataset(10, {32, 32, 3}, 3), {4, 8, 2}));
  const std::string html = html_of(gallery);
  CHECK(contains(html, "predicted <b title=\"horse\">horse</b>"));
  CHECK(contains(html, "<i style=\"width:87.5%\"></i></span><em>87.5 %</em>"));
  CHECK(contains(html, "true <b title=\"deer\">deer</b>"));
  CHECK(contains(html, "<i style=\"width:6.2%\"></i></span><em>6.2 %</em>"));
  CHECK(contains(html, "true <b title=\"ship\">ship</b>"));
  CHECK(contains(html, "<em>&gt; 99.9 %</em>"));  // not 100.0 %: the model was not certain
  CHECK(contains(html, "alt=\"deer, predicted as horse\""));
  CHECK(contains(html, "title=\"image 8: counting.bin, record 8\""));
  CHECK(contains(html, "class=\"pixels\" width=\"128\" height=\"128\""));
  CHECK_FALSE(contains(html, "shown smaller"));
}

TEST_CASE("names of classes and files cannot leave their place among the images") {
  const std::string evil = "<script>alert('x')</script>\" onload=\"\x01\xff&amp;";
  Gallery gallery = gallery_of(CountingDataset(10, {8, 8, 3}, 3), {4, 8, 2});
  gallery.title = gallery.note = evil;
  for (Gallery::Image& image : gallery.images) {
    image.source = image.description = evil;
    image.captions[0].label = image.captions[0].text = evil;
    image.captions.push_back({.label = std::string(500, '<'), .text = std::string(500, '"')});
  }
  const std::string html = html_of(shown(gallery));
  CHECK_FALSE(contains(html, "<script"));
  CHECK(contains(html, "&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST_CASE("a damaged blocks.json loses its images, and puts nothing else into the page") {
  const TemporaryFolder folder;
  const std::string path = folder.path("blocks.json");
  const std::string whole =
      blocks_json({gallery_of(CountingDataset(10, {8, 8, 3}, 3), {4, 8})}, {});
  const auto page = [&](const std::string& text) {
    write(path, text);
    std::string html = run_page(read_run_files(folder.path()));
    CHECK(html_fault(html) == "");
    return html;
  };
  for (size_t length = 0; length + 2 < whole.size(); length += 97) {
    CHECK_FALSE(contains(page(whole.substr(0, length)), "<img"));
  }
  for (const char* other : {"null", "[]", "{}", R"({"blocks":{}})",
                            R"({"blocks":[7,null,{},{"kind":"gallery","images":"x"},
                                {"kind":"gallery","images":[7,null,{}]}]})"}) {
    CHECK_FALSE(contains(page(other), "<img"));
  }
  const nlohmann::json good = nlohmann::json::parse(whole);
  CHECK(contains(page(good.dump()), "<img"));
  const std::vector<std::pair<std::string, nlohmann::json>> changes = {
      {"base64", "AA\"A"},
      {"base64", ""},
      {"base64", "===="},
      {"base64", "AAAAA"},
      {"base64", "=AAA"},
      {"base64", std::string(1 << 17, 'A')},
      {"type", "text/html"},
      {"type", 7},
      {"index", -1},
      {"index", 1e300},
      {"index", {1, 2}},
      {"height", 0},
      {"shown_width", 1 << 20},
      {"shown_height", "\"x"},
      {"width", 1 << 20}};
  for (const auto& change : changes) {
    nlohmann::json bad = good;
    for (auto& image : bad["blocks"][0]["images"]) image[change.first] = change.second;
    CHECK_MESSAGE(!contains(page(bad.dump()), "<img"), change.first);
  }
  // Without its bar the image still says what was predicted.
  for (const nlohmann::json& share : {nlohmann::json(1.5), nlohmann::json("x")}) {
    nlohmann::json bad = good;
    for (auto& image : bad["blocks"][0]["images"]) image["captions"][0]["share"] = share;
    const std::string html = page(bad.dump());
    CHECK(contains(html, "predicted <b title=\"horse\">horse</b></span><span class=\"answer\">"));
    CHECK_FALSE(contains(html, "87.5"));
  }
}

TEST_CASE("a run keeps its galleries, the same for any workers, and resuming makes them anew") {
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
      train_with_report(job, recorder);
      CHECK(read_blocks(run + "/blocks.json").of == "test set, after epoch 1");
      CHECK(contains(text_of(run + "/report.html"), "Evaluation on the test set, after epoch 1"));
      recorder.act = nullptr;
      job.options.resume = "auto";
    }
    train_with_report(job, recorder);
    const std::string page = text_of(run + "/report.html");
    CHECK(page == run_page(read_run_files(run)));
    CHECK(html_fault(page) == "");
    CHECK(contains(page, "Evaluation on the test set, weights at the end"));
    CHECK(contains(page, "Most confident errors"));
    CHECK(contains(page, "Most confident right predictions"));
    CHECK(contains(page, "<img class=\"pixels\""));
    CHECK_FALSE(contains(page, "<script"));
  }
  const std::string blocks = text_of(folder.path("0/blocks.json"));
  CHECK(blocks == text_of(folder.path("2/blocks.json")));
  const auto object = nlohmann::json::parse(blocks);
  CHECK(object["format"] == 2);
  REQUIRE(object["blocks"].size() == 5);
  CHECK(object["blocks"][0]["kind"] == "matrix");
  const auto counts = object["blocks"][0]["counts"].get<std::vector<std::vector<size_t>>>();
  size_t errors = 0;
  size_t examples = 0;
  for (size_t row = 0; row < counts.size(); ++row) {
    examples += std::accumulate(counts[row].begin(), counts[row].end(), size_t{0});
    errors += std::accumulate(counts[row].begin(), counts[row].end(), size_t{0}) - counts[row][row];
  }
  CHECK(examples == 20);
  CHECK(errors > 0);
  CHECK(object["blocks"][3]["title"] == "Most confident errors");
  CHECK(object["blocks"][3]["images"].size() == std::min<size_t>(12, errors));
  CHECK(recorder.messages.empty());
  fs::remove(folder.path("0/blocks.json"));
  CHECK_FALSE(contains(run_page(read_run_files(folder.path("0"))), "<img"));
}

TEST_CASE("blocks that cannot be written give one message and do not end the run") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  fs::create_directories(run + "/blocks.json/in-the-way");
  testing::Recorder recorder;
  CHECK(train_with_report(testing::small_job(run), recorder).epochs == 2);
  REQUIRE(recorder.messages.size() == 1);
  CHECK_MESSAGE(contains(recorder.messages[0], "blocks.json"), recorder.messages[0]);
  CHECK(fs::exists(run + "/result.json"));
  CHECK(contains(text_of(run + "/report.html"), "finished"));
}

}  // namespace
}  // namespace diagrad::train
