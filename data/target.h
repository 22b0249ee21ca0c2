#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/shape.h"

namespace diagrad::data {

/// What one image has of a target, and so how a batch of B images collates it:
enum class TargetForm {
  fixed,  ///< values of one shape, the same for every image: [B, shape...]
  map,    ///< a value per pixel, [H,W] of the image: [B,H,W]
  ragged  ///< any number of rows of one shape: [sum n, shape...], and offsets i64 [B+1]
};

/// "fixed", "map", "ragged"
std::string_view name(TargetForm form);

/// A target that a data set has, declared in DatasetInfo::targets.
struct TargetInfo {
  std::string name = {};     ///< "label", unique within the data set
  std::string help = {};     ///< one line
  DType dtype = DType::i64;  ///< u8, i64 or f32
  TargetForm form = TargetForm::fixed;
  /// Of the values (fixed) or of one row (ragged); [] is one value. A map has [].
  Shape shape = {};
  /// i64: every value is an index into DatasetInfo::classes. The loader checks it.
  bool class_index = false;
  /// Map: value of pixels that a geometric augmentation brings in from outside the image.
  int64_t outside = 0;
  /// Ragged: the target whose boxes its rows describe, row by row; a row is dropped with its box.
  /// The target that names itself is the boxes: f32 [n,4], left, top, right, bottom in pixels from
  /// the top left corner, right and bottom one past the last pixel.
  std::string boxes = {};
};

/// "label": the class of the image, i64.
TargetInfo label_target();
/// "mask": the class of each pixel, u8.
TargetInfo mask_target(std::string help, int64_t outside = 0);
/// "boxes": a box around each object.
TargetInfo boxes_target();
/// "box_label": the class of each box, i64.
TargetInfo box_label_target();

/// Throws Error(usage) for targets that contradict these rules, with the target's name.
void check_targets(std::string_view dataset, const std::vector<TargetInfo>& targets);

}  // namespace diagrad::data
