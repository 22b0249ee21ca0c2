#include "diagrad/core/zip.h"

#include <doctest/doctest.h>

#include <cstring>

namespace diagrad {
namespace {

/// The little-endian number of `bytes` bytes at a place.
uint64_t number_at(const std::string& text, size_t place, size_t bytes) {
  uint64_t number = 0;
  std::memcpy(&number, text.data() + place, bytes);
  return number;
}

TEST_CASE("the crc is that of the standard, whole and in parts") {
  const std::string text = "123456789";
  CHECK(zip_crc(text.data(), text.size()) == 0xcbf43926);  // the check value of CRC-32
  CHECK(zip_crc(text.data() + 4, 5, zip_crc(text.data(), 4)) == 0xcbf43926);
  CHECK(zip_crc(nullptr, 0) == 0);
}

TEST_CASE("a stored entry has its sizes twice, a fixed time and no method") {
  const std::string header = zip_header({.name = "ab", .bytes = 300, .crc = 0x01020304});
  REQUIRE(header.size() == 32);
  CHECK(number_at(header, 0, 4) == 0x04034b50);
  CHECK(number_at(header, 4, 2) == 20);
  CHECK(number_at(header, 8, 2) == 0);
  CHECK(number_at(header, 10, 4) == 0x00210000);
  CHECK(number_at(header, 14, 4) == 0x01020304);
  CHECK(number_at(header, 18, 4) == 300);
  CHECK(number_at(header, 22, 4) == 300);
  CHECK(number_at(header, 26, 2) == 2);
  CHECK(number_at(header, 28, 2) == 0);
  CHECK(header.substr(30) == "ab");
}

TEST_CASE("the directory lists the entries and says where it begins") {
  const std::vector<ZipEntry> entries = {{.name = "a", .bytes = 5, .crc = 7, .offset = 0},
                                         {.name = "bc", .bytes = 6, .crc = 8, .offset = 36}};
  const std::string end = zip_directory(entries, 74);
  REQUIRE(end.size() == 47 + 48 + 22);
  CHECK(number_at(end, 0, 4) == 0x02014b50);
  CHECK(number_at(end, 16, 4) == 7);
  CHECK(number_at(end, 42, 4) == 0);
  CHECK(end.substr(46, 1) == "a");
  CHECK(number_at(end, 47, 4) == 0x02014b50);
  CHECK(number_at(end, 47 + 24, 4) == 6);
  CHECK(number_at(end, 47 + 42, 4) == 36);
  CHECK(number_at(end, 95, 4) == 0x06054b50);
  CHECK(number_at(end, 95 + 10, 2) == 2);
  CHECK(number_at(end, 95 + 12, 4) == 95);
  CHECK(number_at(end, 95 + 16, 4) == 74);
}

TEST_CASE("sizes and places from 4 GiB on are in the form zip64") {
  constexpr int64_t kLarge = int64_t{5} << 30;
  const std::string header = zip_header({.name = "a", .bytes = kLarge});
  REQUIRE(header.size() == 30 + 1 + 20);
  CHECK(number_at(header, 4, 2) == 45);
  CHECK(number_at(header, 18, 4) == 0xffffffff);
  CHECK(number_at(header, 22, 4) == 0xffffffff);
  CHECK(number_at(header, 28, 2) == 20);
  CHECK(number_at(header, 31, 2) == 1);
  CHECK(number_at(header, 33, 2) == 16);
  CHECK(number_at(header, 35, 8) == kLarge);
  CHECK(number_at(header, 43, 8) == kLarge);

  const std::string end = zip_directory(
      {{.name = "a", .bytes = kLarge}, {.name = "b", .bytes = 1, .offset = kLarge}}, kLarge + 40);
  REQUIRE(end.size() == 47 + 20 + 47 + 12 + 56 + 20 + 22);
  CHECK(number_at(end, 67 + 42, 4) == 0xffffffff);  // the second one's place is in its extra field
  CHECK(number_at(end, 67 + 47, 2) == 1);
  CHECK(number_at(end, 67 + 49, 2) == 8);
  CHECK(number_at(end, 67 + 51, 8) == kLarge);
  CHECK(number_at(end, 126, 4) == 0x06064b50);
  CHECK(number_at(end, 126 + 40, 8) == 126);
  CHECK(number_at(end, 126 + 48, 8) == kLarge + 40);
  CHECK(number_at(end, 182, 4) == 0x07064b50);
  CHECK(number_at(end, 182 + 8, 8) == kLarge + 40 + 126);
  CHECK(number_at(end, 202 + 16, 4) == 0xffffffff);
}

TEST_CASE("one byte below the limit is still the short form") {
  CHECK(zip_header({.name = "a", .bytes = 0xfffffffe}).size() == 31);
  CHECK(zip_header({.name = "a", .bytes = 0xffffffff}).size() == 51);
}

}  // namespace
}  // namespace diagrad
