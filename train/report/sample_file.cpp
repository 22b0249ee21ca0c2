#include "diagrad/train/report/sample_file.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "diagrad/data/encode.h"
#include "diagrad/train/report/file_text.h"
#include "diagrad/train/run/json_text.h"

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

struct Image {
  std::vector<uint8_t> pixels;
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
Image shrunk(const std::vector<uint8_t>& pixels, const Shape& shape, int64_t longest) {
  const int64_t side = std::max(shape[0], shape[1]);
  const auto shorter = [&](int64_t length) {
    return side <= longest ? length : std::max<int64_t>(1, length * longest / side);
  };
  Image result;
  result.shape = {shorter(shape[0]), shorter(shape[1]), shape[2] >= 3 ? 3 : 1};
  for (int64_t y = 0; y < result.shape[0]; ++y) {
    for (int64_t x = 0; x < result.shape[1]; ++x) {
      const std::array<int64_t, 4> area = {
          y * shape[0] / result.shape[0], (y + 1) * shape[0] / result.shape[0],
          x * shape[1] / result.shape[1], (x + 1) * shape[1] / result.shape[1]};
      for (int64_t c = 0; c < result.shape[2]; ++c) {
        result.pixels.push_back(mean(pixels.data(), shape, area, c));
      }
    }
  }
  return result;
}

/// Folders on the way to a file say where somebody keeps his data, not which image it is.
std::string without_folders(const std::string& source) {
  const size_t slash = source.rfind('/');
  return slash == std::string::npos ? source : source.substr(slash + 1);
}

std::vector<SampleImage> read_images(const std::vector<Verdict>& verdicts,
                                     const data::Dataset& set) {
  std::vector<SampleImage> images;
  data::Sample sample;
  for (const Verdict& verdict : verdicts) {
    set.read(verdict.index, sample);
    const Shape shape{sample.height, sample.width, sample.channels};
    const bool exact = std::max(shape[0], shape[1]) <= kExact;
    const Image image = shrunk(sample.pixels, shape, kLongest);
    const uint8_t* pixels = image.pixels.data();
    SampleImage shown;
    shown.verdict = verdict;
    shown.source = without_folders(set.source(verdict.index));
    shown.type = exact ? kPng : kJpeg;
    shown.base64 = to_base64(exact ? data::encode_png(pixels, image.shape)
                                   : data::encode_jpeg(pixels, image.shape, kQuality));
    shown.height = image.shape[0];
    shown.width = image.shape[1];
    images.push_back(std::move(shown));
  }
  return images;
}

ordered_json to_json(const std::vector<SampleImage>& images) {
  ordered_json list = ordered_json::array();
  for (const SampleImage& image : images) {
    list.push_back({{"index", image.verdict.index},
                    {"source", image.source},
                    {"label", image.verdict.label},
                    {"predicted", image.verdict.predicted},
                    {"probability", image.verdict.probability},
                    {"label_probability", image.verdict.label_probability},
                    {"doubt", image.verdict.doubt},
                    {"height", image.height},
                    {"width", image.width},
                    {"type", image.type},
                    {"base64", image.base64}});
  }
  return list;
}

/// The member `key` where it is a count up to `most`, else -1.
int64_t count(const json& object, const char* key, int64_t most) {
  const auto found = object.find(key);
  return found != object.end() ? count_of(*found, most).value_or(-1) : -1;
}

/// A number in [0,1], else -1.
double share(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return -1.0;
  const auto value = found->get<double>();
  return value >= 0.0 && value <= 1.0 ? value : -1.0;
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

constexpr int64_t kMostCount = int64_t{1} << 40;

std::optional<SampleImage> image_of(const json& object) {
  if (!object.is_object()) return std::nullopt;
  SampleImage image;
  Verdict& verdict = image.verdict;
  verdict.index = count(object, "index", kMostCount);
  verdict.label = count(object, "label", kMostCount);
  verdict.predicted = count(object, "predicted", kMostCount);
  verdict.probability = share(object, "probability");
  verdict.label_probability = share(object, "label_probability");
  verdict.doubt = share(object, "doubt");
  image.source = text(object, "source");
  image.type = text(object, "type");
  image.base64 = text(object, "base64");
  image.height = count(object, "height", kMostSide);
  image.width = count(object, "width", kMostSide);
  const bool good =
      std::min({verdict.index, verdict.label, verdict.predicted}) >= 0 &&
      std::min({verdict.probability, verdict.label_probability, verdict.doubt}) >= 0 &&
      std::min(image.height, image.width) > 0 && (image.type == kPng || image.type == kJpeg) &&
      image.base64.size() <= kMostLetters && is_base64(image.base64);
  if (!good) return std::nullopt;
  return image;
}

std::vector<SampleImage> images_of(const json& object, const char* key) {
  std::vector<SampleImage> images;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return images;
  for (const json& item : *found) {
    if (images.size() == kMostImages) break;
    if (auto image = image_of(item)) images.push_back(std::move(*image));
  }
  return images;
}

}  // namespace

SampleImages sample_images(const Evaluation& evaluation, const data::Dataset& set) {
  SampleImages samples;
  samples.examples = evaluation.examples;
  samples.mistakes = evaluation.examples - evaluation.correct;
  samples.height = set.info().image[0];
  samples.width = set.info().image[1];
  samples.wrong = read_images(evaluation.samples.wrong, set);
  samples.right = read_images(evaluation.samples.right, set);
  return samples;
}

std::string samples_json(const SampleImages& samples) {
  const ordered_json object = {{"format", 1},
                               {"examples", samples.examples},
                               {"mistakes", samples.mistakes},
                               {"height", samples.height},
                               {"width", samples.width},
                               {"wrong", to_json(samples.wrong)},
                               {"right", to_json(samples.right)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::optional<SampleImages> read_samples(const std::string& path) {
  const json object = file_json(path);
  if (!object.is_object()) return std::nullopt;
  SampleImages samples;
  samples.examples = std::max<int64_t>(0, count(object, "examples", kMostCount));
  samples.mistakes = std::max<int64_t>(0, count(object, "mistakes", kMostCount));
  samples.height = std::max<int64_t>(0, count(object, "height", kMostSide));
  samples.width = std::max<int64_t>(0, count(object, "width", kMostSide));
  samples.wrong = images_of(object, "wrong");
  samples.right = images_of(object, "right");
  return samples;
}

}  // namespace diagrad::train
