#include "diagrad/train/report/block_file.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/shape.h"
#include "diagrad/data/encode.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/run/format.h"

namespace diagrad::train {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int64_t kExact = 48;  // the longest side that is kept pixel by pixel
constexpr int64_t kLongest = 128;
constexpr int kQuality = 85;
constexpr const char* kPng = "image/png";
constexpr const char* kJpeg = "image/jpeg";
constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// A file from elsewhere must not make a page without end.
constexpr size_t kMostImages = 32;
constexpr size_t kMostLetters = 1 << 16;
constexpr int64_t kMostSide = 1 << 14;
constexpr int64_t kMostCount = int64_t{1} << 40;
constexpr size_t kMostCaptions = 8;
constexpr size_t kMostBlocks = 32;
constexpr size_t kMostRows = 1000;  // of a matrix
constexpr size_t kMostColumns = 16;
constexpr size_t kMostLines = 16;
constexpr size_t kMostPoints = 10000;
constexpr size_t kLongestName = 100;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t place = 0; place < bytes.size(); place += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      const bool inside = place + i < bytes.size();
      bits = bits << 8U | (inside ? static_cast<unsigned char>(bytes[place + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      const bool padding = place + i > bytes.size();
      text += padding ? '=' : kLetters[bits >> (18U - 6U * i) & 63U];
    }
  }
  return text;
}

bool is_base64(std::string_view text) {
  const size_t letters = text.find_last_not_of('=') + 1;
  return letters > 0 && text.size() % 4 == 0 && text.size() - letters <= 2 &&
         text.substr(0, letters).find_first_not_of(kLetters) == std::string_view::npos;
}

struct Pixels {
  std::vector<uint8_t> values;
  Shape shape;
};

/// The sum over rows [y0,y1) and columns [x0,x1) of one channel, divided and rounded.
uint8_t mean(const uint8_t* pixels, const Shape& shape, std::array<int64_t, 4> area,
             int64_t channel) {
  int64_t sum = 0;
  for (int64_t y = area[0]; y < area[1]; ++y) {
    for (int64_t x = area[2]; x < area[3]; ++x) {
      sum += pixels[(y * shape[1] + x) * shape[2] + channel];
    }
  }
  const int64_t count = (area[1] - area[0]) * (area[3] - area[2]);
  return static_cast<uint8_t>((sum + count / 2) / count);
}

/// No side longer than `longest`; grey or red, green and blue.
Pixels shrunk(const std::vector<uint8_t>& pixels, const Shape& shape, int64_t longest) {
  const int64_t side = std::max(shape[0], shape[1]);
  const auto shorter = [&](int64_t length) {
    return side <= longest ? length : std::max<int64_t>(1, length * longest / side);
  };
  Pixels result;
  result.shape = {shorter(shape[0]), shorter(shape[1]), shape[2] >= 3 ? 3 : 1};
  for (int64_t y = 0; y < result.shape[0]; ++y) {
    for (int64_t x = 0; x < result.shape[1]; ++x) {
      const std::array<int64_t, 4> area = {
          y * shape[0] / result.shape[0], (y + 1) * shape[0] / result.shape[0],
          x * shape[1] / result.shape[1], (x + 1) * shape[1] / result.shape[1]};
      for (int64_t c = 0; c < result.shape[2]; ++c) {
        result.values.push_back(mean(pixels.data(), shape, area, c));
      }
    }
  }
  return result;
}

ordered_json to_json(const Gallery::Image& image) {
  const Shape shape{image.height, image.width, image.channels};
  const bool exact = std::max(image.height, image.width) <= kExact;
  const Pixels shown = shrunk(image.pixels, shape, kLongest);
  const uint8_t* pixels = shown.values.data();
  ordered_json captions = ordered_json::array();
  for (const Gallery::Caption& caption : image.captions) {
    captions.push_back({{"label", caption.label},
                        {"text", caption.text},
                        {"share", caption.share},
                        {"rest", caption.rest},
                        {"is_good", caption.is_good}});
  }
  return {{"index", image.index},
          {"source", image.source},
          {"description", image.description},
          {"captions", captions},
          {"height", image.height},
          {"width", image.width},
          {"shown_height", shown.shape[0]},
          {"shown_width", shown.shape[1]},
          {"type", exact ? kPng : kJpeg},
          {"base64", to_base64(exact ? data::encode_png(pixels, shown.shape)
                                     : data::encode_jpeg(pixels, shown.shape, kQuality))}};
}

ordered_json to_json(const Table& table) {
  ordered_json columns = ordered_json::array();
  for (const Column& column : table.columns) {
    columns.push_back({{"name", column.name},
                       {"key", column.key},
                       {"is_share", column.is_share},
                       {"values", column.values}});
  }
  return {{"kind", "table"},
          {"title", table.title},
          {"note", table.note},
          {"row_heading", table.row_heading},
          {"rows", table.row_names},
          {"columns", columns},
          {"is_sorted", table.is_sorted}};
}

ordered_json to_json(const Matrix& matrix) {
  return {{"kind", "matrix"},
          {"title", matrix.title},
          {"note", matrix.note},
          {"key", matrix.key},
          {"row_heading", matrix.row_heading},
          {"column_heading", matrix.column_heading},
          {"names", matrix.names},
          {"counts", matrix.counts}};
}

ordered_json to_json(const Series& series) {
  ordered_json lines = ordered_json::array();
  for (const Series::Line& line : series.lines)
    lines.push_back({{"name", line.name}, {"y", line.y}});
  return {{"kind", "series"},    {"title", series.title},
          {"note", series.note}, {"x_heading", series.x_heading},
          {"x", series.x},       {"lines", lines}};
}

ordered_json to_json(const Gallery& gallery) {
  ordered_json images = ordered_json::array();
  for (const Gallery::Image& image : gallery.images) images.push_back(to_json(image));
  return {
      {"kind", "gallery"}, {"title", gallery.title}, {"note", gallery.note}, {"images", images}};
}

int64_t count(const json& object, const char* key, int64_t most) {
  return count_of(json_member(object, key), most).value_or(-1);
}

std::vector<double> numbers(const json& values) {
  std::vector<double> all;
  for (const json& value : values) all.push_back(json_number(value));
  return all;
}

std::string text(const json& object, const char* key) {
  return json_text(json_member(object, key));
}

/// A name or a heading: they stand in every cell of a matrix, so they must stay short.
std::string short_text(const json& object, const char* key) {
  return shorten(text(object, key), kLongestName);
}

std::vector<std::string> names(const json& object, const char* key) {
  std::vector<std::string> all;
  for (const json& item : json_list(object, key)) {
    all.push_back(item.is_string() ? shorten(item.get_ref<const std::string&>(), kLongestName)
                                   : "?");
  }
  return all;
}

bool is_true(const json& object, const char* key) {
  return json_member(object, key) == json(true);
}

Gallery::Caption caption_of(const json& object) {
  Gallery::Caption caption;
  caption.label = text(object, "label");
  caption.text = text(object, "text");
  const double share = json_number(json_member(object, "share"));
  const double rest = json_number(json_member(object, "rest"));
  if (share >= 0.0 && share <= 1.0) caption.share = share;
  if (rest >= 0.0 && rest <= 1.0) caption.rest = rest;
  caption.is_good = is_true(object, "is_good");
  return caption;
}

std::optional<ShownImage> image_of(const json& object) {
  ShownImage image;
  image.index = count(object, "index", kMostCount);
  image.source = text(object, "source");
  image.description = text(object, "description");
  image.type = text(object, "type");
  image.base64 = text(object, "base64");
  image.height = count(object, "height", kMostSide);
  image.width = count(object, "width", kMostSide);
  image.shown_height = count(object, "shown_height", kMostSide);
  image.shown_width = count(object, "shown_width", kMostSide);
  for (const json& caption : json_list(object, "captions")) {
    if (image.captions.size() < kMostCaptions) image.captions.push_back(caption_of(caption));
  }
  const bool good =
      image.index >= 0 &&
      std::min({image.height, image.width, image.shown_height, image.shown_width}) > 0 &&
      (image.type == kPng || image.type == kJpeg) && image.base64.size() <= kMostLetters &&
      is_base64(image.base64);
  if (!good) return std::nullopt;
  return image;
}

ShownGallery gallery_of(const json& object) {
  ShownGallery gallery;
  gallery.title = text(object, "title");
  gallery.note = text(object, "note");
  for (const json& item : json_list(object, "images")) {
    if (gallery.images.size() == kMostImages) break;
    if (auto image = image_of(item)) gallery.images.push_back(std::move(*image));
  }
  return gallery;
}

std::optional<Matrix> matrix_of(const json& object) {
  Matrix matrix;
  matrix.title = text(object, "title");
  matrix.note = text(object, "note");
  matrix.key = text(object, "key");
  matrix.row_heading = short_text(object, "row_heading");
  matrix.column_heading = short_text(object, "column_heading");
  matrix.names = names(object, "names");
  const json& rows = json_list(object, "counts");
  if (rows.size() > kMostRows) return std::nullopt;
  if (!rows.empty() && rows.size() != matrix.names.size()) return std::nullopt;
  for (const json& row : rows) {
    if (!row.is_array() || row.size() != rows.size()) return std::nullopt;
    auto& counts = matrix.counts.emplace_back();
    for (const json& value : row) {
      const auto images = count_of(value, kMostCount);
      if (!images) return std::nullopt;
      counts.push_back(*images);
    }
  }
  return matrix;
}

std::optional<Table> table_of(const json& object) {
  Table table;
  table.title = text(object, "title");
  table.note = text(object, "note");
  table.row_heading = short_text(object, "row_heading");
  table.row_names = names(object, "rows");
  table.is_sorted = is_true(object, "is_sorted");
  if (json_list(object, "columns").size() > kMostColumns) return std::nullopt;
  for (const json& item : json_list(object, "columns")) {
    Column column;
    column.name = short_text(item, "name");
    column.key = text(item, "key");
    column.is_share = is_true(item, "is_share");
    column.values = numbers(json_list(item, "values"));
    for (double& value : column.values) {
      if (column.is_share && (value < 0.0 || value > 1.0)) value = kNone;
    }
    if (column.values.size() != table.row_names.size()) return std::nullopt;
    table.columns.push_back(std::move(column));
  }
  return table;
}

std::optional<Series> series_of(const json& object) {
  Series series;
  series.title = text(object, "title");
  series.note = text(object, "note");
  series.x_heading = short_text(object, "x_heading");
  series.x = numbers(json_list(object, "x"));
  if (series.x.size() > kMostPoints || json_list(object, "lines").size() > kMostLines) {
    return std::nullopt;
  }
  for (const json& item : json_list(object, "lines")) {
    series.lines.push_back({short_text(item, "name"), numbers(json_list(item, "y"))});
    if (series.lines.back().y.size() != series.x.size()) return std::nullopt;
  }
  return series;
}

std::optional<ShownBlock> block_of(const json& object) {
  const std::string kind = text(object, "kind");
  if (kind == "gallery") return gallery_of(object);
  if (kind == "matrix") return matrix_of(object);
  if (kind == "table") return table_of(object);
  if (kind == "series") return series_of(object);
  return std::nullopt;
}

}  // namespace

std::string blocks_json(const std::vector<Block>& blocks, const std::string& of) {
  ordered_json all = ordered_json::array();
  for (const Block& block : blocks) {
    all.push_back(std::visit([](const auto& content) { return to_json(content); }, block));
  }
  const ordered_json object = {{"format", kFormat}, {"of", of}, {"blocks", std::move(all)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ShownBlocks read_blocks(const std::string& path) {
  ShownBlocks shown;
  const json object = file_json(path);
  shown.of = short_text(object, "of");
  for (const json& item : json_list(object, "blocks")) {
    if (shown.blocks.size() == kMostBlocks) break;
    if (auto block = block_of(item)) shown.blocks.push_back(std::move(*block));
  }
  return shown;
}

}  // namespace diagrad::train
