#include "diagrad/data/target.h"

#include <algorithm>

#include "diagrad/core/error.h"

namespace diagrad::data {
namespace {

const TargetInfo* find(const std::vector<TargetInfo>& targets, std::string_view name) {
  const auto found = std::find_if(targets.begin(), targets.end(),
                                  [&](const TargetInfo& target) { return target.name == name; });
  return found == targets.end() ? nullptr : &*found;
}

bool are_boxes(const TargetInfo& target) {
  return target.boxes == target.name && target.dtype == DType::f32 && target.shape == Shape{4};
}

void check_target(std::string_view dataset, const std::vector<TargetInfo>& all,
                  const TargetInfo& target) {
  DG_CHECK(!target.name.empty(), "{}: a target has no name", dataset);
  DG_CHECK(find(all, target.name) == &target, "{}: two targets are called '{}'", dataset,
           target.name);
  DG_CHECK(target.dtype == DType::u8 || target.dtype == DType::i64 || target.dtype == DType::f32,
           "{}: target '{}' is {}, expected u8, i64 or f32", dataset, target.name,
           name(target.dtype));
  DG_CHECK(!target.class_index || target.dtype == DType::i64,
           "{}: target '{}' is {}, a class index must be i64", dataset, target.name,
           name(target.dtype));
  DG_CHECK(target.shape.numel() > 0, "{}: target '{}' has the shape {} without values", dataset,
           target.name, target.shape);
  DG_CHECK(target.form != TargetForm::map || target.shape.empty(),
           "{}: target '{}' is a map of the shape {}, expected []", dataset, target.name,
           target.shape);
  if (target.boxes.empty()) return;
  DG_CHECK(target.form == TargetForm::ragged, "{}: target '{}' is {}, rows of boxes are ragged",
           dataset, target.name, name(target.form));
  const TargetInfo* boxes = find(all, target.boxes);
  DG_CHECK(boxes != nullptr && are_boxes(*boxes),
           "{}: target '{}' describes '{}', expected the name of an f32 target of rows [4] that "
           "names itself",
           dataset, target.name, target.boxes);
}

}  // namespace

std::string_view name(TargetForm form) {
  switch (form) {
    case TargetForm::fixed:
      return "fixed";
    case TargetForm::map:
      return "map";
    case TargetForm::ragged:
      break;
  }
  return "ragged";
}

TargetInfo label_target() {
  return {.name = "label", .help = "the class of the image", .class_index = true};
}

TargetInfo mask_target(std::string help, int64_t outside) {
  return {.name = "mask",
          .help = std::move(help),
          .dtype = DType::u8,
          .form = TargetForm::map,
          .outside = outside};
}

TargetInfo boxes_target() {
  return {.name = "boxes",
          .help = "a box around each object: left, top, right, bottom in pixels",
          .dtype = DType::f32,
          .form = TargetForm::ragged,
          .shape = {4},
          .boxes = "boxes"};
}

TargetInfo box_label_target() {
  return {.name = "box_label",
          .help = "the class of each box",
          .form = TargetForm::ragged,
          .class_index = true,
          .boxes = "boxes"};
}

void check_targets(std::string_view dataset, const std::vector<TargetInfo>& targets) {
  for (const TargetInfo& target : targets) check_target(dataset, targets, target);
}

}  // namespace diagrad::data
