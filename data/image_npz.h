#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/core/zip.h"

namespace diagrad::data {

/// An .npz file for numpy.load that grows image by image: `images`, u8 [N,H,W,C], and where there
/// are some `labels`, i64 [N]; stored without compression, with fixed times, so that equal images
/// give equal files. N is given at the beginning. Whatever kills the process, the whole images that
/// were written stay, and the file goes on behind them. Throws Error(checkpoint) with the path and
/// the system's reason.
class ImageNpz {
 public:
  /// Opens the file, made where there is none. Throws, with the file unchanged, for one that is no
  /// such file of N images of that shape, and for one that another process is writing.
  ImageNpz(std::string path, const Shape& image, int64_t count);
  ~ImageNpz();
  ImageNpz(const ImageNpz&) = delete;
  ImageNpz& operator=(const ImageNpz&) = delete;

  /// Bytes of the whole file.
  static int64_t whole_bytes(const Shape& image, int64_t count, bool has_labels);

  /// How many images it holds, at most N.
  int64_t size() const { return size_; }
  /// pixels: u8 [images,H,W,C]. Throws for more than N in all.
  void append(const uint8_t* pixels, int64_t images);
  /// Images first to first + images - 1.
  void read(uint8_t* pixels, int64_t first, int64_t images) const;
  /// Writes what stands behind the images and flushes the file to the disk. `label` gives that of
  /// each image; null: there are none. Throws unless all N images are there.
  void finish(const std::function<int64_t(int64_t image)>& label);

 private:
  void open();
  void write_at(const void* data, int64_t bytes, int64_t offset) const;
  void read_at(void* data, int64_t bytes, int64_t offset) const;
  uint32_t crc_of_images(const std::string& npy) const;
  ZipEntry write_labels(const std::function<int64_t(int64_t)>& label, int64_t offset) const;

  std::string path_;
  Shape image_;
  int64_t count_;
  int64_t image_bytes_;
  ZipEntry entry_;  ///< of the images
  std::string npy_;
  int64_t begin_ = 0;  ///< of the first image
  int64_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace diagrad::data
