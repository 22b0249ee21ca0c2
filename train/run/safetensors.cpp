#include "diagrad/train/run/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "diagrad/core/error.h"
#include "diagrad/train/run/safetensors_header.h"

namespace diagrad::train {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

/// Each step is a bijection of the state for a fixed word and of the word for a fixed state, so
/// one changed word always changes the result.
class Hash {
 public:
  void add(const void* data, size_t bytes) {
    const char* next = static_cast<const char*>(data);
    add_word(bytes);
    for (; bytes >= 8; bytes -= 8, next += 8) {
      uint64_t word = 0;
      std::memcpy(&word, next, 8);
      add_word(word);
    }
    uint64_t word = 0;
    if (bytes > 0) std::memcpy(&word, next, bytes);
    add_word(word);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  void add_word(uint64_t word) {
    state_ = std::rotl((state_ ^ word) * 0x9E3779B97F4A7C15U, 29);
    state_ ^= state_ >> 32;
  }
  uint64_t result() const { return state_; }

 private:
  uint64_t state_ = 0x243F6A8885A308D3U;
};

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
    hash.add_word(static_cast<uint64_t>(tensor.rank()));
    for (const int64_t size : tensor.shape()) hash.add_word(static_cast<uint64_t>(size));
    hash.add(tensor.raw_data(), bytes_of(tensor));
  }
  return hash.result();
}

}  // namespace diagrad::train
