#include "diagrad/data/image_npz.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"

namespace diagrad::data {
namespace {

constexpr const char* kImages = "images.npy";
constexpr const char* kLabels = "labels.npy";
constexpr size_t kCrcPlace = 14;  // in zip_header()
constexpr size_t kCrcBytes = 4;
constexpr int64_t kChunk = int64_t{1} << 20;  // of what is read or made at once
constexpr int64_t kLabelBytes = 8;

/// The header of an .npy file, version 1.0, padded to a multiple of 64 bytes.
std::string npy_header(std::string_view type, const std::vector<int64_t>& shape) {
  std::string sizes;
  for (const int64_t size : shape) sizes += fmt::format("{}, ", size);
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (shape.size() == 1) sizes.resize(sizes.size() - 1);
  std::string words =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr size_t kBefore = 10;
  constexpr size_t kAlignment = 64;
  while ((kBefore + words.size() + 1) % kAlignment != 0) words += ' ';
  words += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(words.size() & 0xff);
  header += static_cast<char>(words.size() >> 8);
  return header + words;
}

std::string images_npy(const Shape& image, int64_t count) {
  std::vector<int64_t> shape = {count};
  for (int axis = 0; axis < image.rank(); ++axis) shape.push_back(image[axis]);
  return npy_header("|u1", shape);
}

std::string labels_npy(int64_t count) {
  return npy_header("<i8", {count});
}

/// Of all pixels. Throws where the bytes of a file would not fit an int64.
int64_t checked_bytes(const Shape& image, int64_t count) {
  constexpr int64_t kMost = int64_t{1} << 60;
  DG_CHECK(image.rank() == 3 && image.numel() >= 1 && count >= 1 && count <= kMost / image.numel(),
           "npz: {} images {}, expected at least one [H,W,C] and at most 2^60 bytes", count, image);
  return count * image.numel();
}

[[noreturn]] void fail_with_reason(const char* action, const std::string& path) {
  const int reason = errno;
  fail(ErrorKind::checkpoint, "{}: cannot {}: {}", path, action, std::strerror(reason));
}

}  // namespace

ImageNpz::ImageNpz(std::string path, const Shape& image, int64_t count)
    : path_(std::move(path)),
      image_(image),
      count_(count),
      image_bytes_(image.numel()),
      npy_(images_npy(image, count)) {
  entry_ = {.name = kImages, .bytes = std::ssize(npy_) + checked_bytes(image, count)};
  begin_ = std::ssize(zip_header(entry_)) + std::ssize(npy_);
  try {
    open();
  } catch (const Error&) {
    if (descriptor_ >= 0) close(descriptor_);
    throw;
  }
}

ImageNpz::~ImageNpz() {
  close(descriptor_);
}

int64_t ImageNpz::whole_bytes(const Shape& image, int64_t count, bool has_labels) {
  ZipEntry images{.name = kImages};
  images.bytes = std::ssize(images_npy(image, count)) + checked_bytes(image, count);
  std::vector<ZipEntry> entries = {images};
  int64_t offset = std::ssize(zip_header(images)) + images.bytes;
  if (has_labels) {
    ZipEntry labels{.name = kLabels, .offset = offset};
    labels.bytes = std::ssize(labels_npy(count)) + count * kLabelBytes;
    offset += std::ssize(zip_header(labels)) + labels.bytes;
    entries.push_back(labels);
  }
  return offset + std::ssize(zip_directory(entries, offset));
}

void ImageNpz::open() {
  // Neither through a link to a file of somebody else, nor into a pipe.
  descriptor_ = open_descriptor(path_, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor_ < 0) fail_with_reason("write", path_);
  struct stat status = {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    fail(ErrorKind::checkpoint, "{}: is not a regular file", path_);
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    fail(ErrorKind::checkpoint, "{}: another process is writing it", path_);
  }
  const std::string prefix = zip_header(entry_) + npy_;
  std::string there(static_cast<size_t>(std::min(begin_, int64_t{status.st_size})), '\0');
  read_at(there.data(), std::ssize(there), 0);
  // Whoever finished the file has written the crc there.
  for (size_t i = kCrcPlace; i < std::min(there.size(), kCrcPlace + kCrcBytes); ++i) {
    there[i] = prefix[i];
  }
  if (!prefix.starts_with(there)) {
    fail(ErrorKind::checkpoint, "{}: does not hold {} images {}", path_, count_, image_);
  }
  if (status.st_size < begin_) write_at(prefix.data(), std::ssize(prefix), 0);
  size_ = std::clamp((status.st_size - begin_) / image_bytes_, int64_t{0}, count_);
}

void ImageNpz::write_at(const void* data, int64_t bytes, int64_t offset) const {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, next, static_cast<size_t>(bytes), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_reason("write", path_);
    next += written;
    offset += written;
    bytes -= written;
  }
}

void ImageNpz::read_at(void* data, int64_t bytes, int64_t offset) const {
  char* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, next, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_reason("read", path_);
    if (count == 0) fail(ErrorKind::checkpoint, "{}: ends at byte {}", path_, offset);
    next += count;
    offset += count;
    bytes -= count;
  }
}

void ImageNpz::append(const uint8_t* pixels, int64_t images) {
  DG_ASSERT(size_ + images <= count_, "{} images and {} more of {}", size_, images, count_);
  write_at(pixels, images * image_bytes_, begin_ + size_ * image_bytes_);
  size_ += images;
}

void ImageNpz::read(uint8_t* pixels, int64_t first, int64_t images) const {
  DG_ASSERT(first >= 0 && first + images <= size_, "images {} to {} of {}", first, first + images,
            size_);
  read_at(pixels, images * image_bytes_, begin_ + first * image_bytes_);
}

uint32_t ImageNpz::crc_of_images(const std::string& npy) const {
  uint32_t crc = zip_crc(npy.data(), npy.size());
  std::vector<char> chunk(static_cast<size_t>(kChunk));
  const int64_t end = begin_ + count_ * image_bytes_;
  for (int64_t offset = begin_; offset < end; offset += kChunk) {
    const int64_t bytes = std::min(kChunk, end - offset);
    read_at(chunk.data(), bytes, offset);
    crc = zip_crc(chunk.data(), static_cast<size_t>(bytes), crc);
  }
  return crc;
}

ZipEntry ImageNpz::write_labels(const std::function<int64_t(int64_t)>& label,
                                int64_t offset) const {
  const std::string npy = labels_npy(count_);
  ZipEntry entry{.name = kLabels, .bytes = std::ssize(npy) + count_ * kLabelBytes};
  entry.offset = offset;
  int64_t place = offset + std::ssize(zip_header(entry));
  write_at(npy.data(), std::ssize(npy), place);
  place += std::ssize(npy);
  entry.crc = zip_crc(npy.data(), npy.size());
  std::vector<int64_t> chunk;
  for (int64_t i = 0; i < count_; ++i) {
    chunk.push_back(label(i));
    const int64_t bytes = std::ssize(chunk) * kLabelBytes;
    if (bytes < kChunk && i + 1 < count_) continue;
    write_at(chunk.data(), bytes, place);
    entry.crc = zip_crc(chunk.data(), static_cast<size_t>(bytes), entry.crc);
    place += bytes;
    chunk.clear();
  }
  const std::string header = zip_header(entry);
  write_at(header.data(), std::ssize(header), offset);
  return entry;
}

void ImageNpz::finish(const std::function<int64_t(int64_t image)>& label) {
  DG_ASSERT(size_ == count_, "{} of {} images", size_, count_);
  entry_.crc = crc_of_images(npy_);
  const std::string header = zip_header(entry_);
  write_at(header.data(), std::ssize(header), 0);
  std::vector<ZipEntry> entries = {entry_};
  int64_t end = begin_ + count_ * image_bytes_;
  if (label != nullptr) {
    entries.push_back(write_labels(label, end));
    end += std::ssize(zip_header(entries.back())) + entries.back().bytes;
  }
  const std::string directory = zip_directory(entries, end);
  write_at(directory.data(), std::ssize(directory), end);
  end += std::ssize(directory);
  if (ftruncate(descriptor_, end) != 0) fail_with_reason("write", path_);
  if (fsync(descriptor_) != 0) fail_with_reason("flush", path_);
}

}  // namespace diagrad::data
