#include "diagrad/train/tasks/blocks.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/train/report/block_file.h"
#include "diagrad/train/report/blocks_html.h"
#include "tests/support/decode_image.h"
#include "tests/train/report/html_fault.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

constexpr const char* kOf = "test set, after epoch 3";

using nlohmann::json;
using testing::TemporaryFolder;

Table small_table() {
  return {.title = "Accuracy by class",
          .note = "Of the test set.",
          .row_heading = "class",
          .row_names = {"cat", "dog"},
          .columns =
              {{.name = "images", .values = {3.0, 0.0}},
               {.name = "accuracy", .key = "per_class", .is_share = true, .values = {0.75, NAN}}},
          .is_sorted = true};
}

Matrix small_matrix() {
  return {.title = "Confusion matrix",
          .note = "Rows are true classes.",
          .key = "confusion",
          .row_heading = "true class",
          .column_heading = "predicted class",
          .names = {"cat", "dog"},
          .counts = {{8, 2}, {1, 9}}};
}

Series small_series() {
  return {.title = "Calibration",
          .note = "The diagonal is perfect.",
          .x_heading = "confidence",
          .x = {0.25, 0.75},
          .lines = {{.name = "accuracy", .y = {0.5, NAN}}, {.name = "images", .y = {1.0, 2.0}}}};
}

Gallery small_gallery() {
  Gallery::Image image{.description = "cat, predicted as dog",
                       .source = "test.bin, record 4",
                       .index = 4,
                       .height = 2,
                       .width = 3,
                       .channels = 1,
                       .pixels = {0, 50, 100, 150, 200, 250}};
  image.captions = {
      {.label = "predicted", .text = "dog", .share = 0.875, .rest = 0.125, .is_good = false},
      {.label = "true", .text = "cat"}};
  return {.title = "Most confident errors", .note = "1 of 7.", .images = {image}};
}

std::vector<Block> small_blocks() {
  return {small_table(), small_matrix(), small_series(), small_gallery()};
}

std::vector<ShownBlock> read_text(const std::string& text) {
  const TemporaryFolder folder;
  const std::string path = folder.path("blocks.json");
  std::ofstream(path, std::ios::binary) << text;
  return read_blocks(path).blocks;
}

/// A file whose only block is `block` with `value` at `place`.
std::vector<ShownBlock> read_changed(const Block& block, const char* place, const json& value) {
  json object = json::parse(blocks_json({block}, kOf));
  object["blocks"][0][json::json_pointer(place)] = value;
  return read_text(object.dump());
}

TEST_CASE("what has a key stands in the JSON of an evaluation") {
  CHECK(keyed_json({}) == "{}");
  CHECK(keyed_json(small_blocks()) == R"({"confusion":[[8,2],[1,9]],"per_class":[0.75,null]})");
  Table table = small_table();
  table.columns[1].key.clear();
  CHECK(keyed_json({table, small_series(), small_gallery()}) == "{}");
}

TEST_CASE("a table, a matrix and a series are read back as they were written") {
  const TemporaryFolder folder;
  std::ofstream(folder.path("blocks.json")) << blocks_json(small_blocks(), kOf);
  CHECK(read_blocks(folder.path("blocks.json")).of == kOf);
  const auto blocks = read_text(blocks_json(small_blocks(), kOf));
  REQUIRE(blocks.size() == 4);
  const auto& table = std::get<Table>(blocks[0]);
  const Table expected = small_table();
  CHECK(table.title == expected.title);
  CHECK(table.note == expected.note);
  CHECK(table.row_heading == expected.row_heading);
  CHECK(table.row_names == expected.row_names);
  CHECK(table.is_sorted);
  REQUIRE(table.columns.size() == 2);
  CHECK(table.columns[0].name == "images");
  CHECK(table.columns[0].values == std::vector<double>{3.0, 0.0});
  CHECK_FALSE(table.columns[0].is_share);
  CHECK(table.columns[1].key == "per_class");
  CHECK(table.columns[1].is_share);
  CHECK(table.columns[1].values.at(0) == 0.75);
  CHECK(std::isnan(table.columns[1].values.at(1)));
  const auto& matrix = std::get<Matrix>(blocks[1]);
  CHECK(matrix.title == "Confusion matrix");
  CHECK(matrix.note == "Rows are true classes.");
  CHECK(matrix.key == "confusion");
  CHECK(matrix.row_heading == "true class");
  CHECK(matrix.column_heading == "predicted class");
  CHECK(matrix.names == small_matrix().names);
  CHECK(matrix.counts == small_matrix().counts);
  const auto& series = std::get<Series>(blocks[2]);
  CHECK(series.title == "Calibration");
  CHECK(series.note == "The diagonal is perfect.");
  CHECK(series.x_heading == "confidence");
  CHECK(series.x == small_series().x);
  REQUIRE(series.lines.size() == 2);
  CHECK(series.lines[0].name == "accuracy");
  CHECK(series.lines[0].y.at(0) == 0.5);
  CHECK(std::isnan(series.lines[0].y.at(1)));
  CHECK(series.lines[1].y == small_series().lines[1].y);
}

TEST_CASE("a gallery is read back with the exact pixels of small images") {
  const auto blocks = read_text(blocks_json({small_gallery()}, kOf));
  REQUIRE(blocks.size() == 1);
  const auto& gallery = std::get<ShownGallery>(blocks[0]);
  CHECK(gallery.title == "Most confident errors");
  CHECK(gallery.note == "1 of 7.");
  REQUIRE(gallery.images.size() == 1);
  const ShownImage& image = gallery.images[0];
  CHECK(image.description == "cat, predicted as dog");
  CHECK(image.source == "test.bin, record 4");
  CHECK(image.index == 4);
  CHECK(image.height == 2);
  CHECK(image.shown_width == 3);
  CHECK(image.type == "image/png");
  const testing::DecodedImage decoded = testing::decode_image(testing::from_base64(image.base64));
  CHECK(decoded.shape == Shape{2, 3, 1});
  CHECK(decoded.pixels == small_gallery().images[0].pixels);
  REQUIRE(image.captions.size() == 2);
  CHECK(image.captions[0].label == "predicted");
  CHECK(image.captions[0].text == "dog");
  CHECK(image.captions[0].share == 0.875);
  CHECK(image.captions[0].rest == 0.125);
  CHECK_FALSE(image.captions[0].is_good);
  CHECK(image.captions[1].share < 0.0);  // no bar
  CHECK(image.captions[1].is_good);
}

TEST_CASE("a file of blocks that is none has no blocks, and does not throw") {
  const TemporaryFolder folder;
  CHECK(read_blocks(folder.path("none.json")).blocks.empty());
  CHECK(read_blocks(folder.path()).blocks.empty());
  for (const char* text :
       {"", "null", "7", "[]", "{}", R"({"blocks":7})", R"({"blocks":{"kind":"table"}})",
        R"({"blocks":[null,7,"table",[],{}]})", R"({"blocks":[{"kind":7},{"kind":"pie"}]})"}) {
    CHECK_MESSAGE(read_text(text).empty(), text);
  }
  const std::string whole = blocks_json(small_blocks(), kOf);
  for (size_t length = 0; length + 2 < whole.size(); length += 61) {
    CHECK(read_text(whole.substr(0, length)).empty());
  }
}

TEST_CASE("a block with values that make no sense is passed over, the others stay") {
  json object = json::parse(blocks_json(small_blocks(), kOf));
  object["blocks"][1]["counts"] = {{1, 2}, {3}};
  CHECK(read_text(object.dump()).size() == 3);
  const Block matrix = small_matrix();
  REQUIRE(read_changed(matrix, "/title", "x").size() == 1);
  CHECK(read_changed(matrix, "/counts/0/0", -1).empty());
  CHECK(read_changed(matrix, "/counts/0/0", 1.5).empty());
  CHECK(read_changed(matrix, "/counts/0/0", 1e300).empty());
  CHECK(read_changed(matrix, "/counts/0", "x").empty());
  CHECK(read_changed(matrix, "/counts", json::array({{1}})).empty());  // more names than rows
  CHECK(read_changed(matrix, "/names", json::array({"cat"})).empty());
  const json square(std::vector<std::vector<int>>(1001, std::vector<int>(1001, 1)));
  CHECK(read_changed(matrix, "/counts", square).empty());
  const Block table = small_table();
  CHECK(read_changed(table, "/columns/0/values", json::array({1})).empty());
  CHECK(read_changed(table, "/columns/0/values", 7).empty());
  CHECK(read_changed(table, "/rows", json::array({"cat"})).empty());
  CHECK(read_changed(table, "/columns", json(std::vector<json>(17, json::object()))).empty());
  const Block series = small_series();
  CHECK(read_changed(series, "/lines/0/y", json::array({1})).empty());
  CHECK(read_changed(series, "/x", json::array({1, 2, 3})).empty());
  CHECK(read_changed(series, "/x", json(std::vector<double>(10001, 0.0))).empty());
  CHECK(read_changed(series, "/lines", json(std::vector<json>(17, json::object()))).empty());
}

TEST_CASE("single values that make no sense are left out of their block") {
  const auto first_table = [](const char* place, const json& value) {
    return std::get<Table>(read_changed(small_table(), place, value).at(0));
  };
  for (const json& value : {json(1.5), json(-0.5), json("x"), json::object(), json(1e308)}) {
    CHECK(std::isnan(first_table("/columns/1/values/0", value).columns.at(1).values.at(0)));
  }
  CHECK(first_table("/columns/0/values/0", 1.5).columns.at(0).values.at(0) == 1.5);
  CHECK(first_table("/rows/1", 7).row_names.at(1) == "?");
  CHECK(first_table("/title", json::array()).title.empty());
  const std::string endless(20000, 'x');
  CHECK(first_table("/rows/1", endless).row_names.at(1).size() < 200);
  const auto matrix = std::get<Matrix>(read_changed(small_matrix(), "/row_heading", endless).at(0));
  CHECK(matrix.row_heading.size() < 200);  // it stands in every cell
  const auto images = [](const char* place, const json& value) {
    return std::get<ShownGallery>(read_changed(small_gallery(), place, value).at(0)).images;
  };
  CHECK(images("/images/0/captions/0/share", 1.5).at(0).captions.at(0).share < 0.0);
  CHECK(images("/images/0/captions/0/rest", "x").at(0).captions.at(0).rest < 0.0);
  CHECK(images("/images/0/captions", 7).at(0).captions.empty());
  const json many(std::vector<json>(
      1000, json::parse(blocks_json({small_gallery()}, kOf))["blocks"][0]["images"][0]));
  CHECK(images("/images", many).size() == 32);
  json object = json::parse(blocks_json({small_table()}, kOf));
  object["blocks"] = std::vector<json>(1000, object["blocks"][0]);
  CHECK(read_text(object.dump()).size() == 32);
}

}  // namespace
}  // namespace diagrad::train
