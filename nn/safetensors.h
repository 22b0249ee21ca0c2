#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/file.h"
#include "diagrad/core/shape.h"
#include "diagrad/core/tensor.h"
#include "diagrad/nn/state_dict.h"

namespace diagrad::nn {

using TensorMap = nn::StateDict;
using Metadata = std::map<std::string, std::string>;

/// One tensor of a safetensors file: bytes [begin, end) of the part after the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  int64_t begin = 0;
  int64_t end = 0;
  bool is_half = false;  ///< F16 in the file, f32 in memory
};

/// A safetensors file, checked by every rule of the format when it is opened: header of at most
/// 100,000,000 bytes within the file, valid UTF-8 and JSON, no name twice, each tensor's length
/// that of its shape, no overlap, no hole, nothing after the last tensor. Memory is taken only for
/// what the file really holds. F16, which no tensor here has, is read as f32. Throws
/// Error(checkpoint): the path and what is wrong.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// In the order of their bytes.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  const Metadata& metadata() const { return metadata_; }
  Tensor read(const TensorEntry& entry) const;
  TensorMap read_all() const;

 private:
  InputFile file_;
  int64_t data_offset_ = 0;
  std::vector<TensorEntry> entries_;
  Metadata metadata_;
};

/// Writes tensors by decreasing element size, then name, so that each lies aligned. The same
/// contents give the same bytes. Throws Error(checkpoint) where the file cannot be written.
void write_safetensors(AtomicFile& file, const TensorMap& tensors, const Metadata& metadata);
void write_safetensors(const std::string& path, const TensorMap& tensors,
                       const Metadata& metadata = {});

/// XXH3 of names, dtypes, shapes, bytes and metadata: a change goes unseen with a chance of about
/// 2^-64.
uint64_t checksum(const TensorMap& tensors, const Metadata& metadata);

}  // namespace diagrad::nn
