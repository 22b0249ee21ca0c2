#include "diagrad/data/npz_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/core/zip.h"

namespace diagrad::data {
namespace {

// Records of a zip file, by APPNOTE.TXT of PKWARE, 4.3: sizes and places of fields.
constexpr int64_t kEndBytes = 22;
constexpr int64_t kLocatorBytes = 20;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kCentralBytes = 46;
constexpr int64_t kLocalBytes = 30;
constexpr int64_t kMostComment = 65535;
constexpr int64_t kMostDirectory = int64_t{1} << 20;
constexpr uint64_t kIn64 = 0xFFFFFFFFU;  ///< a size or place that stands in the zip64 field
constexpr std::string_view kEnd = "PK\5\6";
constexpr std::string_view kLocator = "PK\6\7";
constexpr std::string_view kEnd64 = "PK\6\6";
constexpr std::string_view kCentral = "PK\1\2";
constexpr std::string_view kLocal = "PK\3\4";

constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr int64_t kNpyStart = 10;  ///< magic, version, length of the header
constexpr int64_t kMostDimensions = 8;

/// A little-endian number; the caller has checked that it is there.
uint64_t number(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

/// As a size within a file: what is larger than any file becomes the largest number.
int64_t size_number(std::string_view bytes, size_t at, size_t count) {
  return static_cast<int64_t>(std::min<uint64_t>(number(bytes, at, count), INT64_MAX));
}

/// A dictionary of a .npy header as NumPy writes it: {'descr': '|u1', 'fortran_order': False,
/// 'shape': (2, 3), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  /// False for another form.
  bool parse(NpzArray& array, bool& fortran_order) {
    if (!take("{")) return false;
    int seen = 0;
    while (!take("}")) {
      std::string key;
      if (!quoted(key) || !take(":")) return false;
      bool is_read = false;
      if (key == "descr") is_read = quoted(array.dtype);
      if (key == "fortran_order") is_read = boolean(fortran_order);
      if (key == "shape") is_read = tuple(array.shape);
      if (!is_read) return false;
      ++seen;
      if (!take(",") && !is_next("}")) return false;
    }
    skip();
    return seen == 3 && at_ == text_.size() && !array.dtype.empty();
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool is_next(std::string_view word) {
    skip();
    return text_.substr(at_, word.size()) == word;
  }
  bool take(std::string_view word) {
    if (!is_next(word)) return false;
    at_ += word.size();
    return true;
  }
  bool quoted(std::string& value) {
    if (!take("'")) return false;
    const size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) return false;
    value = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }
  bool boolean(bool& value) {
    value = take("True");
    return value || take("False");
  }
  bool tuple(Shape& shape) {
    shape = {};
    if (!take("(")) return false;
    while (!take(")")) {
      int64_t size = 0;
      skip();
      const size_t start = at_;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (at_ - start >= 15) return false;
        size = 10 * size + (text_[at_] - '0');
      }
      if (at_ == start || shape.rank() == kMostDimensions) return false;
      shape.insert(shape.rank(), size);
      if (!take(",") && !is_next(")")) return false;
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

/// Bytes of one element: the digits of "|u1"; 0 for other forms.
int64_t element_bytes(const std::string& dtype) {
  const bool known = dtype.size() == 3 && (dtype[0] == '|' || dtype[0] == '<') && dtype[2] >= '1' &&
                     dtype[2] <= '8';
  return known ? dtype[2] - '0' : 0;
}

/// Whether an array of that shape takes that many bytes, without a product that overflows.
bool fits(const Shape& shape, int64_t element, int64_t bytes) {
  int64_t product = element;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 0) return bytes == 0;
  }
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] > bytes / product) return false;
    product *= shape[axis];
  }
  return product == bytes;
}

InputFile open_file(const std::string& path) {
  try {
    return InputFile(path);
  } catch (const Error& error) {
    throw Error(ErrorKind::data, error.what());
  }
}

}  // namespace

NpzFile::NpzFile(const std::string& path) : path_(path), file_(open_file(path)) {
  read_directory(find_directory());
}

void NpzFile::refuse(const std::string& why) const {
  fail(ErrorKind::data, "{}: {}", path_, why);
}

std::string NpzFile::read_text(int64_t offset, int64_t bytes) const {
  if (offset < 0 || bytes < 0 || offset > file_.size() || bytes > file_.size() - offset) {
    refuse(fmt::format("is damaged: it has {} bytes, {} at byte {} are named", file_.size(), bytes,
                       offset));
  }
  std::string text(static_cast<size_t>(bytes), '\0');
  try {
    file_.read(text.data(), text.size(), offset);
  } catch (const Error& error) {
    throw Error(ErrorKind::data, error.what());
  }
  return text;
}

NpzFile::Directory NpzFile::find_directory() const {
  const int64_t tail_bytes = std::min(file_.size(), kEndBytes + kMostComment);
  const int64_t tail_start = file_.size() - tail_bytes;
  const std::string tail = read_text(tail_start, tail_bytes);
  const size_t end = tail.rfind(kEnd);
  if (end == std::string::npos || tail.size() - end < static_cast<size_t>(kEndBytes)) {
    refuse("is no .npz file, or is cut short: it has no directory of a zip file");
  }
  Directory directory{.offset = size_number(tail, end + 16, 4),
                      .bytes = size_number(tail, end + 12, 4),
                      .entries = size_number(tail, end + 10, 2)};
  const int64_t locator = tail_start + static_cast<int64_t>(end) - kLocatorBytes;
  if (locator < 0) return directory;
  const std::string place = read_text(locator, kLocatorBytes);
  if (!place.starts_with(kLocator)) return directory;
  const std::string end64 = read_text(size_number(place, 8, 8), kEnd64Bytes);
  if (!end64.starts_with(kEnd64)) refuse("is damaged: it has no directory of a zip64 file");
  return {.offset = size_number(end64, 48, 8),
          .bytes = size_number(end64, 40, 8),
          .entries = size_number(end64, 32, 8)};
}

void NpzFile::read_directory(const Directory& directory) {
  if (directory.bytes > kMostDirectory) {
    refuse(fmt::format("names {} bytes of directory, at most {} are read", directory.bytes,
                       kMostDirectory));
  }
  const std::string text = read_text(directory.offset, directory.bytes);
  size_t at = 0;
  for (int64_t i = 0; i < directory.entries; ++i) {
    const std::string_view record = std::string_view(text).substr(at);
    if (record.size() < static_cast<size_t>(kCentralBytes) || !record.starts_with(kCentral)) {
      refuse(fmt::format("is damaged: its directory ends at entry {} of {}", i, directory.entries));
    }
    const auto name_bytes = static_cast<size_t>(number(record, 28, 2));
    const auto extra_bytes = static_cast<size_t>(number(record, 30, 2));
    const auto comment_bytes = static_cast<size_t>(number(record, 32, 2));
    const size_t all =
        static_cast<size_t>(kCentralBytes) + name_bytes + extra_bytes + comment_bytes;
    if (record.size() < all) refuse("is damaged: its directory is cut short");
    const std::string name(record.substr(static_cast<size_t>(kCentralBytes), name_bytes));
    const uint64_t stored = number(record, 20, 4);
    if ((number(record, 8, 2) & 1U) != 0) refuse(fmt::format("{} is encrypted", name));
    if (number(record, 10, 2) != 0) {
      refuse(fmt::format(
          "{} is compressed; numpy.savez writes it stored, savez_compressed does not", name));
    }
    if (stored == kIn64 || number(record, 42, 4) == kIn64) {
      refuse(fmt::format("{} has 4 GiB or more, which is not read", name));
    }
    add_entry(name, size_number(record, 42, 4), static_cast<int64_t>(stored),
              static_cast<uint32_t>(number(record, 16, 4)));
    at += all;
  }
}

void NpzFile::add_entry(const std::string& name, int64_t local, int64_t bytes, uint32_t checksum) {
  constexpr std::string_view kEnding = ".npy";
  if (!name.ends_with(kEnding)) return;
  const std::string head = read_text(local, kLocalBytes);
  if (!head.starts_with(kLocal))
    refuse(fmt::format("is damaged: {} is not where it is named", name));
  NpzArray array{.name = name.substr(0, name.size() - kEnding.size()), .entry_checksum = checksum};
  if (find(array.name) != nullptr) refuse(fmt::format("has two entries {}", name));
  array.entry_offset = local + kLocalBytes + size_number(head, 26, 2) + size_number(head, 28, 2);
  const std::string start = read_text(array.entry_offset, std::min(bytes, kNpyStart));
  if (start.size() < static_cast<size_t>(kNpyStart) || !start.starts_with(kNpyMagic)) {
    refuse(fmt::format("{} is no array of NumPy", name));
  }
  if (start[6] != 1) refuse(fmt::format("{} is .npy version {}, expected 1", name, start[6] + 0));
  const int64_t header = size_number(start, 8, 2);
  if (header > bytes - kNpyStart) refuse(fmt::format("{} is cut short in its header", name));
  bool fortran_order = false;
  const std::string text = read_text(array.entry_offset + kNpyStart, header);
  if (!HeaderParser(text).parse(array, fortran_order)) {
    refuse(
        fmt::format("{} has a header of another form: {}", name, printable(text.substr(0, 100))));
  }
  array.offset = array.entry_offset + kNpyStart + header;
  array.bytes = bytes - kNpyStart - header;
  const int64_t element = element_bytes(array.dtype);
  if (element == 0) {
    refuse(fmt::format("{} has elements {}, expected little-endian numbers", name,
                       printable(array.dtype)));
  }
  if (fortran_order) refuse(fmt::format("{} is in Fortran order, expected C order", name));
  if (!fits(array.shape, element, array.bytes)) {
    refuse(fmt::format("{} has {} bytes, its shape {} of {} takes another number", name,
                       array.bytes, array.shape, array.dtype));
  }
  if (array.bytes > file_.size() - array.offset) refuse(fmt::format("{} is cut short", name));
  arrays_.push_back(std::move(array));
}

const NpzArray* NpzFile::find(std::string_view name) const {
  const auto found = std::find_if(arrays_.begin(), arrays_.end(),
                                  [&](const NpzArray& array) { return array.name == name; });
  return found == arrays_.end() ? nullptr : &*found;
}

std::vector<uint8_t> NpzFile::read(const NpzArray& array) const {
  const std::string header = read_text(array.entry_offset, array.offset - array.entry_offset);
  std::vector<uint8_t> bytes(static_cast<size_t>(array.bytes));
  try {
    file_.read(bytes.data(), bytes.size(), array.offset);
  } catch (const Error& error) {
    throw Error(ErrorKind::data, error.what());
  }
  const uint32_t crc_of_header = zip_crc(header.data(), header.size());
  const uint32_t checksum = zip_crc(bytes.data(), bytes.size(), crc_of_header);
  if (static_cast<uint32_t>(checksum) != array.entry_checksum) {
    refuse(fmt::format("{}.npy is damaged: its checksum is {:08x}, {:08x} is named", array.name,
                       checksum, array.entry_checksum));
  }
  return bytes;
}

}  // namespace diagrad::data
