#include "diagrad/train/tasks/gallery.h"

#include <utility>

#include "diagrad/data/sample.h"

namespace diagrad::train {

Gallery::Image gallery_image(const data::Dataset& set, int64_t index) {
  data::Sample sample;
  set.read(index, sample);
  Gallery::Image image;
  image.index = index;
  image.height = sample.height;
  image.width = sample.width;
  image.channels = sample.channels;
  image.pixels = std::move(sample.pixels);
  // Folders say where somebody keeps his data, not which image it is.
  const std::string source = set.source(index);
  image.source = source.substr(source.rfind('/') + 1);
  return image;
}

}  // namespace diagrad::train
