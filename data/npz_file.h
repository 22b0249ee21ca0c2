#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/file.h"
#include "diagrad/core/shape.h"

namespace diagrad::data {

/// An array of an .npz file.
struct NpzArray {
  std::string name = {};   ///< without its ending: "images"
  std::string dtype = {};  ///< as NumPy writes it: "|u1", "<i8"
  Shape shape = {};
  int64_t offset = 0;  ///< of its first byte in the file
  int64_t bytes = 0;
  int64_t entry_offset = 0;     ///< of the zip entry, which begins with the header of the array
  uint32_t entry_checksum = 0;  ///< CRC-32 of the entry
};

/// An .npz file as numpy.savez writes it: a zip of stored (not compressed) .npy entries in C order
/// of little-endian numbers. Sizes are checked against the file before memory is taken.
class NpzFile {
 public:
  /// Reads the directory and the headers of the arrays. Throws Error(data) with the path for a file
  /// that is missing, damaged or compressed.
  explicit NpzFile(const std::string& path);

  const std::vector<NpzArray>& arrays() const { return arrays_; }
  /// Null where there is none.
  const NpzArray* find(std::string_view name) const;
  /// The bytes of an array. Throws Error(data) where the checksum of its entry does not fit.
  std::vector<uint8_t> read(const NpzArray& array) const;

 private:
  struct Directory {
    int64_t offset = 0;
    int64_t bytes = 0;
    int64_t entries = 0;
  };
  Directory find_directory() const;
  void read_directory(const Directory& directory);
  void add_entry(const std::string& name, int64_t local, int64_t bytes, uint32_t checksum);
  /// Bytes of the file. Throws Error(data) where they are not in it.
  std::string read_text(int64_t offset, int64_t bytes) const;
  [[noreturn]] void refuse(const std::string& why) const;

  std::string path_;
  InputFile file_;
  std::vector<NpzArray> arrays_;
};

}  // namespace diagrad::data
