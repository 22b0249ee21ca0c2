#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "diagrad/train/tasks/blocks.h"

namespace diagrad::train {

/// An image of a gallery as a page shows it.
struct ShownImage {
  std::string description;
  std::string source;
  int64_t index = 0;
  int64_t height = 0;  ///< of the image in the data set
  int64_t width = 0;
  int64_t shown_height = 0;  ///< of the file
  int64_t shown_width = 0;
  std::string type;    ///< "image/png" or "image/jpeg"
  std::string base64;  ///< the file
  std::vector<Gallery::Caption> captions;
};

struct ShownGallery {
  std::string title;
  std::string note;
  std::vector<ShownImage> images;
};

using ShownBlock = std::variant<Table, Matrix, Series, ShownGallery>;

/// What blocks.json holds. Images up to 48 pixels a side are PNG files of their exact pixels,
/// larger ones JPEG files of at most 128, so that 24 images take less than 250 kB.
/// `of` says of which evaluation they are: "test set, after epoch 3".
std::string blocks_json(const std::vector<Block>& blocks, const std::string& of);

struct ShownBlocks {
  std::string of;
  std::vector<ShownBlock> blocks;
};

/// The blocks of a file; none for one that is missing or no JSON. Values that make no sense are
/// passed over. Throws nothing for what the file holds: whatever it is, `type` is one of the two,
/// `base64` has letters of base64 alone, matrices are square, columns as long as the rows, shares
/// in [0, 1].
ShownBlocks read_blocks(const std::string& path);

}  // namespace diagrad::train
