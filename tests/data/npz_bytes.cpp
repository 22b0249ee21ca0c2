#include "tests/data/npz_bytes.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstring>

namespace diagrad::testing {
namespace {

std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  return text;
}

/// What local header and directory have in common: method to the lengths of name and extra field.
std::string common_fields(const NpzEntry& entry) {
  const auto* bytes = reinterpret_cast<const Bytef*>(entry.bytes.data());
  const auto checksum = static_cast<uint32_t>(crc32_z(0, bytes, entry.bytes.size()));
  return little(entry.method, 2) + little(0x00210000, 4) + little(checksum, 4) +
         little(entry.bytes.size(), 4) + little(entry.bytes.size(), 4) +
         little(entry.name.size(), 2) + little(0, 2);
}

}  // namespace

std::string npy_bytes(const std::string& dtype, const Shape& shape, const std::string& values,
                      bool fortran_order) {
  std::string sizes;
  for (const int64_t size : shape) sizes += fmt::format("{}, ", size);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}", dtype,
                                   fortran_order ? "True" : "False", sizes);
  while ((10 + header.size()) % 64 != 63) header.push_back(' ');
  header.push_back('\n');
  return std::string("\x93NUMPY\1") + '\0' + little(header.size(), 2) + header + values;
}

std::string npy_bytes(const Shape& shape, const std::vector<int64_t>& values) {
  std::string bytes(values.size() * sizeof(int64_t), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return npy_bytes("<i8", shape, bytes);
}

std::string npy_images(const Shape& shape) {
  std::string pixels;
  for (int64_t i = 0; i < shape.numel(); ++i) pixels.push_back(static_cast<char>(i * 7 % 256));
  return npy_bytes("|u1", shape, pixels);
}

std::string npz_bytes(const std::vector<NpzEntry>& entries) {
  std::string file;
  std::string directory;
  for (const NpzEntry& entry : entries) {
    const std::string fields = common_fields(entry);
    directory += "PK\1\2" + little(20, 2) + little(20, 2) + little(0, 2) + fields +
                 std::string(10, '\0') + little(file.size(), 4) + entry.name;
    file += "PK\3\4" + little(20, 2) + little(0, 2) + fields + entry.name + entry.bytes;
  }
  const std::string end = std::string("PK\5\6") + little(0, 4) + little(entries.size(), 2) +
                          little(entries.size(), 2) + little(directory.size(), 4) +
                          little(file.size(), 4) + little(0, 2);
  return file + directory + end;
}

std::string npz_bytes(const Shape& images, const std::vector<int64_t>& labels) {
  std::vector<NpzEntry> entries = {{"images.npy", npy_images(images)}};
  if (!labels.empty()) {
    entries.push_back({"labels.npy", npy_bytes({static_cast<int64_t>(labels.size())}, labels)});
  }
  return npz_bytes(entries);
}

}  // namespace diagrad::testing
