#include "diagrad/nn/safetensors.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <string_view>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/half.h"
#include "diagrad/core/hash.h"
#include "diagrad/nn/safetensors_header.h"

namespace diagrad::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

size_t bytes_of(const Tensor& tensor) {
  return static_cast<size_t>(tensor.numel() * size_of(tensor.dtype()));
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(path) {
  uint64_t length = 0;
  if (file_.size() < 8) {
    fail(ErrorKind::checkpoint, "{}: has {} bytes, too few for a safetensors file", path,
         file_.size());
  }
  file_.read(&length, 8, 0);
  if (length > static_cast<uint64_t>(detail::kMaxSafetensorsHeader) ||
      static_cast<int64_t>(length) > file_.size() - 8) {
    fail(ErrorKind::checkpoint,
         "{}: announces a header of {} bytes, but at most {} are allowed and {} are there; it is "
         "damaged or no safetensors file",
         path, length, detail::kMaxSafetensorsHeader, file_.size() - 8);
  }
  std::string text(length, '\0');
  file_.read(text.data(), text.size(), 8);
  data_offset_ = 8 + static_cast<int64_t>(length);
  auto header = detail::parse_safetensors_header(path, text, file_.size() - data_offset_);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
}

Tensor SafetensorsReader::read(const TensorEntry& entry) const {
  Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  if (entry.is_half) {
    std::vector<uint16_t> bits(static_cast<size_t>(tensor.numel()));
    file_.read(bits.data(), bits.size() * sizeof(uint16_t), data_offset_ + entry.begin);
    std::transform(bits.begin(), bits.end(), tensor.data<float>(), half_to_float);
    return tensor;
  }
  file_.read(tensor.raw_data(), bytes_of(tensor), data_offset_ + entry.begin);
  return tensor;
}

TensorMap SafetensorsReader::read_all() const {
  TensorMap tensors;
  for (const TensorEntry& entry : entries_) tensors[entry.name] = read(entry);
  return tensors;
}

void write_safetensors(AtomicFile& file, const TensorMap& tensors, const Metadata& metadata) {
  std::vector<TensorEntry> entries;
  for (const auto& named : tensors) {
    entries.push_back({named.first, named.second.dtype(), named.second.shape(), 0, 0});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return size_of(a.dtype) > size_of(b.dtype);
  });
  int64_t offset = 0;
  for (TensorEntry& entry : entries) {
    entry.begin = offset;
    offset += entry.shape.numel() * size_of(entry.dtype);
    entry.end = offset;
  }
  const std::string header = detail::make_safetensors_header(entries, metadata);
  const uint64_t length = header.size();
  DG_CHECK(length <= static_cast<uint64_t>(detail::kMaxSafetensorsHeader),
           "safetensors: {} tensors make a header of {} bytes, at most {} are allowed",
           entries.size(), length, detail::kMaxSafetensorsHeader);
  file.write(&length, 8);
  file.write(header);
  for (const TensorEntry& entry : entries) {
    const Tensor tensor = tensors.at(entry.name).contiguous();
    file.write(tensor.raw_data(), bytes_of(tensor));
  }
}

void write_safetensors(const std::string& path, const TensorMap& tensors,
                       const Metadata& metadata) {
  AtomicFile file(path);
  write_safetensors(file, tensors, metadata);
  file.commit();
}

uint64_t checksum(const TensorMap& tensors, const Metadata& metadata) {
  Hash hash;
  for (const auto& pair : metadata) {
    hash.add(pair.first);
    hash.add(pair.second);
  }
  for (const auto& named : tensors) {
    const Tensor tensor = named.second.contiguous();
    hash.add(named.first);
    hash.add(name(tensor.dtype()));
    const std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
    hash.add(shape.data(), shape.size() * sizeof(int64_t));
    hash.add(tensor.raw_data(), bytes_of(tensor));
  }
  return hash.result();
}

}  // namespace diagrad::nn
