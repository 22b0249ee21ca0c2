#include "diagrad/core/zip.h"

#include <zlib.h>

#include <algorithm>
#include <iterator>

// The numbers are those of PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.

namespace diagrad {
namespace {

constexpr uint32_t kHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;

constexpr int64_t kTooLarge32 = 0xffffffff;  // also what stands in place of a larger number
constexpr int64_t kTooMany16 = 0xffff;
constexpr uint16_t kVersion = 20;
constexpr uint16_t kVersion64 = 45;
constexpr uint16_t kUnix = 3 << 8;              // made by
constexpr uint32_t kFileMode = 0100644U << 16;  // a regular file, read by all
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kMidnight = 0;
constexpr uint16_t kFirstDay = (1 << 5) | 1;  // 1980-01-01

/// Little-endian numbers one behind the other.
class Bytes {
 public:
  Bytes& u16(int64_t value) { return add(static_cast<uint64_t>(value), 2); }
  Bytes& u32(int64_t value) { return add(static_cast<uint64_t>(value), 4); }
  Bytes& u64(int64_t value) { return add(static_cast<uint64_t>(value), 8); }
  Bytes& text(const std::string& value) {
    text_ += value;
    return *this;
  }
  int64_t size() const { return static_cast<int64_t>(text_.size()); }
  const std::string& str() const { return text_; }

 private:
  Bytes& add(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) text_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }

  std::string text_;
};

/// A number as it stands in a field of 32 bits; a larger one goes to the field `extra` instead.
int64_t short_form(int64_t value, Bytes& extra) {
  if (value < kTooLarge32) return value;
  extra.u64(value);
  return kTooLarge32;
}

/// The extra field of zip64 around the numbers that it holds; empty where there are none.
std::string extra_field(const Bytes& numbers) {
  if (numbers.size() == 0) return {};
  return Bytes().u16(kExtra64).u16(numbers.size()).text(numbers.str()).str();
}

}  // namespace

std::string zip_header(const ZipEntry& entry) {
  Bytes numbers;
  const int64_t size = short_form(entry.bytes, numbers);
  if (size == kTooLarge32) numbers.u64(entry.bytes);  // once more: compressed
  const std::string extra = extra_field(numbers);
  Bytes header;
  header.u32(kHeader).u16(extra.empty() ? kVersion : kVersion64).u16(0).u16(0);
  header.u16(kMidnight).u16(kFirstDay).u32(entry.crc).u32(size).u32(size);
  header.u16(std::ssize(entry.name)).u16(std::ssize(extra)).text(entry.name).text(extra);
  return header.str();
}

std::string zip_directory(const std::vector<ZipEntry>& entries, int64_t offset) {
  Bytes all;
  for (const ZipEntry& entry : entries) {
    Bytes numbers;
    const int64_t size = short_form(entry.bytes, numbers);
    if (size == kTooLarge32) numbers.u64(entry.bytes);
    const int64_t place = short_form(entry.offset, numbers);
    const std::string extra = extra_field(numbers);
    const uint16_t version = extra.empty() ? kVersion : kVersion64;
    all.u32(kDirectoryEntry).u16(kUnix | version).u16(version).u16(0).u16(0);
    all.u16(kMidnight).u16(kFirstDay).u32(entry.crc).u32(size).u32(size);
    all.u16(std::ssize(entry.name)).u16(std::ssize(extra)).u16(0).u16(0).u16(0);
    all.u32(kFileMode).u32(place).text(entry.name).text(extra);
  }
  const int64_t length = all.size();
  const int64_t count = std::ssize(entries);
  const bool is_large = offset >= kTooLarge32 || length >= kTooLarge32 || count >= kTooMany16;
  if (is_large) {
    constexpr int64_t kRest64 = 44;  // bytes of the record behind its size
    all.u32(kEnd64).u64(kRest64).u16(kUnix | kVersion64).u16(kVersion64).u32(0).u32(0);
    all.u64(count).u64(count).u64(length).u64(offset);
    all.u32(kEnd64Locator).u32(0).u64(offset + length).u32(1);
  }
  const int64_t count16 = std::min(count, kTooMany16);
  all.u32(kEnd).u16(0).u16(0).u16(count16).u16(count16);
  all.u32(std::min(length, kTooLarge32)).u32(std::min(offset, kTooLarge32)).u16(0);
  return all.str();
}

uint32_t zip_crc(const void* data, size_t bytes, uint32_t before) {
  return static_cast<uint32_t>(crc32_z(before, static_cast<const Bytef*>(data), bytes));
}

}  // namespace diagrad
