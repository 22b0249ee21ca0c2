#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace diagrad {

/// One file of a zip archive, stored without compression.
struct ZipEntry {
  std::string name = {};
  int64_t bytes = 0;
  uint32_t crc = 0;    ///< zip_crc() of them
  int64_t offset = 0;  ///< of its header in the archive
};

/// What stands before the bytes of an entry. Its length does not depend on the crc, so a header can
/// be written before the bytes and once more, in the same place, when their crc is known. Every
/// entry has the time 1980-01-01 00:00: equal contents are equal archives. Entries of 4 GiB and
/// more are in the form zip64.
std::string zip_header(const ZipEntry& entry);

/// The end of an archive: the list of its entries, which begins at byte `offset`.
std::string zip_directory(const std::vector<ZipEntry>& entries, int64_t offset);

/// CRC-32 as zip takes it; `before` is that of the bytes before these.
uint32_t zip_crc(const void* data, size_t bytes, uint32_t before = 0);

}  // namespace diagrad
