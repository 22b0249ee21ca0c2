#include "diagrad/data/encode.h"

#include "diagrad/core/error.h"

// Static: a program of the user's may bring stb of its own.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace diagrad::data {
namespace {

struct Size {
  int width;
  int height;
  int channels;
};

Size size_of(const Shape& image, const char* who) {
  constexpr int64_t kMost = kMostImageSide;  // stb counts bytes in int
  const bool good = image.rank() == 3 && image[0] >= 1 && image[0] <= kMost && image[1] >= 1 &&
                    image[1] <= kMost && (image[2] == 1 || image[2] == 3);
  DG_CHECK(good, "{}: image {}, expected [H,W,C] with C 1 or 3 and sides up to {}", who, image,
           kMost);
  return {static_cast<int>(image[1]), static_cast<int>(image[0]), static_cast<int>(image[2])};
}

void append(void* bytes, void* data, int size) {
  static_cast<std::string*>(bytes)->append(static_cast<const char*>(data),
                                           static_cast<size_t>(size));
}

}  // namespace

std::string encode_png(const uint8_t* pixels, const Shape& image) {
  const Size size = size_of(image, "encode_png");
  std::string bytes;
  const int done = stbi_write_png_to_func(append, &bytes, size.width, size.height, size.channels,
                                          pixels, size.width * size.channels);
  DG_CHECK(done != 0, "encode_png: no memory for an image {}", image);
  return bytes;
}

std::string encode_jpeg(const uint8_t* pixels, const Shape& image, int quality) {
  const Size size = size_of(image, "encode_jpeg");
  DG_CHECK(quality >= 1 && quality <= 100, "encode_jpeg: quality {}, expected 1 to 100", quality);
  std::string bytes;
  const int done = stbi_write_jpg_to_func(append, &bytes, size.width, size.height, size.channels,
                                          pixels, quality);
  DG_CHECK(done != 0, "encode_jpeg: no memory for an image {}", image);
  return bytes;
}

}  // namespace diagrad::data
