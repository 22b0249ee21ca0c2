#include "diagrad/nn/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::nn::detail {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<const char*, DType>, 6> kTypes{{{"F32", DType::f32},
                                                               {"F64", DType::f64},
                                                               {"BF16", DType::bf16},
                                                               {"I64", DType::i64},
                                                               {"I32", DType::i32},
                                                               {"U8", DType::u8}}};

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A name from a file that may be hostile, for a message: short, quoted, no control characters.
std::string shown(const std::string& text) {
  constexpr size_t kLongest = 80;
  const bool cut = text.size() > kLongest;
  return json(text.substr(0, kLongest)).dump(-1, ' ', true, json::error_handler_t::replace) +
         (cut ? "..." : "");
}

/// Receives the parser's events. The only legal form is an object of entries
/// {dtype, shape, data_offsets} and of "__metadata__", an object of strings; everything else stops
/// the parser with a reason. Keeps no tree, so depth and duplicates cannot hurt.
class HeaderEvents : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader header;
  std::string problem;

  bool null() override { return unexpected("null"); }
  bool boolean(bool /*value*/) override { return unexpected("a boolean"); }
  bool number_integer(int64_t value) override { return unexpected(std::to_string(value)); }
  bool number_float(double /*value*/, const std::string& text) override { return unexpected(text); }
  bool binary(json::binary_t& /*value*/) override { return unexpected("binary data"); }
  bool number_unsigned(uint64_t value) override;
  bool string(std::string& value) override;
  bool start_object(size_t /*elements*/) override;
  bool key(std::string& value) override;
  bool end_object() override;
  bool start_array(size_t /*elements*/) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return stop(fmt::format("the header is not valid JSON at byte {}", position));
  }

 private:
  enum class Place { start, root, metadata, entry, shape, offsets, end };

  bool stop(std::string reason) {
    if (problem.empty()) problem = std::move(reason);
    return false;
  }
  bool unexpected(const std::string& what) {
    return stop(fmt::format("the header has {} where it must not, at {}", what, shown(key_)));
  }
  bool finish_entry();

  Place place_ = Place::start;
  std::string key_;  ///< the last one, for messages and for the strings of metadata
  std::set<std::string> names_;
  std::set<std::string> fields_;
  TensorEntry entry_;
  std::vector<int64_t> numbers_;
};

bool HeaderEvents::number_unsigned(uint64_t value) {
  if (place_ != Place::shape && place_ != Place::offsets) return unexpected(std::to_string(value));
  if (value > static_cast<uint64_t>(INT64_MAX)) {
    return stop(fmt::format("tensor {}: the number {} is too large", shown(entry_.name), value));
  }
  if (numbers_.size() >= static_cast<size_t>(Shape::kMaxRank)) {
    return stop(fmt::format("tensor {}: more than {} numbers in its {}", shown(entry_.name),
                            Shape::kMaxRank, key_));
  }
  numbers_.push_back(static_cast<int64_t>(value));
  return true;
}

bool HeaderEvents::string(std::string& value) {
  if (place_ == Place::metadata) {
    header.metadata[key_] = value;
    return true;
  }
  if (place_ != Place::entry || key_ != "dtype") return unexpected("a string");
  entry_.is_half = value == "F16";
  if (entry_.is_half) return true;  // the dtype is f32
  for (const auto& type : kTypes) {
    if (value != type.first) continue;
    entry_.dtype = type.second;
    return true;
  }
  return stop(fmt::format(
      "tensor {}: dtype {} is not supported, only F32, F64, BF16, F16, I64, I32 and U8 are",
      shown(entry_.name), shown(value)));
}

bool HeaderEvents::start_object(size_t /*elements*/) {
  if (place_ == Place::start) {
    place_ = Place::root;
    return true;
  }
  if (place_ != Place::root) return unexpected("an object");
  place_ = key_ == "__metadata__" ? Place::metadata : Place::entry;
  entry_ = TensorEntry();
  entry_.name = key_;
  fields_.clear();
  return true;
}

bool HeaderEvents::key(std::string& value) {
  key_ = value;
  bool fresh = true;
  if (place_ == Place::root) {
    fresh = names_.insert(value).second;
  } else if (place_ == Place::metadata) {
    fresh = header.metadata.emplace(value, "").second;
  } else {
    fresh = fields_.insert(value).second;
    if (value != "dtype" && value != "shape" && value != "data_offsets") {
      return stop(fmt::format("tensor {}: unknown field {}", shown(entry_.name), shown(value)));
    }
  }
  return fresh || stop(fmt::format("{} comes twice in the header", shown(value)));
}

bool HeaderEvents::end_object() {
  if (place_ == Place::root) {
    place_ = Place::end;
    return true;
  }
  const bool was_entry = std::exchange(place_, Place::root) == Place::entry;
  return !was_entry || finish_entry();
}

bool HeaderEvents::start_array(size_t /*elements*/) {
  if (place_ != Place::entry || key_ == "dtype") return unexpected("an array");
  place_ = key_ == "shape" ? Place::shape : Place::offsets;
  numbers_.clear();
  return true;
}

bool HeaderEvents::end_array() {
  if (std::exchange(place_, Place::entry) == Place::shape) {
    entry_.shape = Shape(std::span<const int64_t>(numbers_));
    return true;
  }
  if (numbers_.size() != 2) {
    return stop(fmt::format("tensor {}: data_offsets has {} numbers, expected 2",
                            shown(entry_.name), numbers_.size()));
  }
  entry_.begin = numbers_[0];
  entry_.end = numbers_[1];
  return true;
}

bool HeaderEvents::finish_entry() {
  if (fields_.size() != 3) {
    return stop(fmt::format("tensor {}: needs dtype, shape and data_offsets, and has {} of them",
                            shown(entry_.name), fields_.size()));
  }
  // Sizes of zero count as one, so that no stride can overflow either.
  int64_t extent = size_of(entry_.dtype);
  for (const int64_t size : entry_.shape) {
    if (__builtin_mul_overflow(extent, std::max<int64_t>(size, 1), &extent)) {
      return stop(fmt::format("tensor {}: shape {} overflows", shown(entry_.name), entry_.shape));
    }
  }
  const int64_t bytes = entry_.shape.numel() * (entry_.is_half ? 2 : size_of(entry_.dtype));
  if (entry_.end < entry_.begin || entry_.end - entry_.begin != bytes) {
    return stop(fmt::format("tensor {}: {} {} needs {} bytes, its data_offsets are [{}, {}]",
                            shown(entry_.name), entry_.is_half ? "f16" : name(entry_.dtype),
                            entry_.shape, bytes, entry_.begin, entry_.end));
  }
  header.entries.push_back(std::move(entry_));
  return true;
}

/// The bytes after the header must be covered once each, without a gap.
void check_cover(const std::string& path, const std::vector<TensorEntry>& entries,
                 int64_t data_bytes) {
  int64_t covered = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != covered) {
      fail(ErrorKind::checkpoint, "{}: tensor {} begins at byte {} of the data, expected {} ({})",
           path, shown(entry.name), entry.begin, covered,
           entry.begin < covered ? "an overlap" : "a hole");
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    fail(ErrorKind::checkpoint, "{}: the tensors need {} bytes of data, the file has {}{}", path,
         covered, data_bytes, covered > data_bytes ? "; it is cut short" : "");
  }
}

const char* type_name(DType dtype) {
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const auto& known) { return known.second == dtype; });
  return type->first;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text,
                                           int64_t data_bytes) {
  if (text.empty() || text.front() != '{') {
    fail(ErrorKind::checkpoint, "{}: the header does not begin with '{{'", path);
  }
  // The parser takes a zero byte for the end of the text.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    fail(ErrorKind::checkpoint, "{}: the header is not valid JSON at byte {}", path, zero + 1);
  }
  HeaderEvents events;
  if (!json::sax_parse(text.begin(), text.end(), &events)) {
    fail(ErrorKind::checkpoint, "{}: {}", path, events.problem);
  }
  std::vector<TensorEntry>& entries = events.header.entries;
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_cover(path, entries, data_bytes);
  return std::move(events.header);
}

std::string make_safetensors_header(const std::vector<TensorEntry>& entries,
                                    const Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& pair : metadata) {
      if (text.back() != '{') text += ',';
      text += quoted(pair.first) + ':' + quoted(pair.second);
    }
    text += '}';
  }
  for (const TensorEntry& entry : entries) {
    if (text.back() != '{') text += ',';
    text +=
        fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", quoted(entry.name),
                    type_name(entry.dtype), entry.shape, entry.begin, entry.end);
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace diagrad::nn::detail
