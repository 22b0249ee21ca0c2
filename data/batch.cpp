#include "diagrad/data/batch.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <type_traits>

#include "diagrad/core/error.h"

namespace diagrad::data {
namespace {

Shape with_front(int64_t size, const Shape& rest) {
  Shape result = rest;
  result.insert(0, size);
  return result;
}

/// Keeps the rows `kept` of `values`, which are in ascending order.
template <typename T>
void keep_rows(std::vector<T>& values, int64_t width, const std::vector<int64_t>& kept) {
  auto out = values.begin();
  for (const int64_t row : kept) out = std::copy_n(values.begin() + row * width, width, out);
  values.erase(out, values.end());
}

}  // namespace

const BatchTarget& Batch::target(std::string_view name) const {
  std::vector<std::string> names;
  for (const BatchTarget& target : targets) {
    if (target.name == name) return target;
    names.push_back(target.name);
  }
  fail(ErrorKind::data, "batch: no target '{}' ({})", name,
       names.empty() ? "the data set has none"
                     : fmt::format("targets of the data set: {}", fmt::join(names, ", ")));
}

Collator::Collator(const DatasetInfo& info, int64_t count, const ImageSize& size)
    : info_(info), count_(count), size_(size), ragged_(info.targets.size()) {
  for (size_t t = 0; t < info.targets.size(); ++t) {
    const TargetInfo& target = info.targets[t];
    BatchTarget& made = targets_.emplace_back();
    made.name = target.name;
    if (target.form == TargetForm::fixed) {
      made.values = Tensor::empty(with_front(count, target.shape), target.dtype);
    } else if (target.form == TargetForm::map) {
      made.values = Tensor::empty({count, size.height, size.width}, target.dtype);
    } else {
      ragged_[t].resize(static_cast<size_t>(count));
    }
  }
}

void Collator::put(int64_t place, Sample& sample, const Geometry& geometry) {
  DG_CHECK(place >= 0 && place < count_, "collator: place {} of a batch of {} images", place,
           count_);
  DG_ASSERT(geometry.size() == size_, "an image of {}x{} in a batch of {}x{}",
            geometry.size().height, geometry.size().width, size_.height, size_.width);
  // The boxes first: rows that describe them follow.
  std::vector<std::vector<int64_t>> kept(info_.targets.size());
  for (size_t t = 0; t < info_.targets.size(); ++t) {
    const TargetInfo& target = info_.targets[t];
    if (target.boxes != target.name) continue;
    kept[t] = geometry.move_boxes(std::get<std::vector<float>>(sample.targets[t].values));
  }
  for (size_t t = 0; t < info_.targets.size(); ++t) {
    const TargetInfo& target = info_.targets[t];
    const auto put_values = [&](auto& values) {
      using T = typename std::remove_reference_t<decltype(values)>::value_type;
      if (target.form == TargetForm::fixed) {
        std::copy(values.begin(), values.end(),
                  targets_[t].values.template data<T>() + place * target.shape.numel());
      } else if (target.form == TargetForm::map) {
        geometry.move_map(
            values.data(), static_cast<T>(target.outside),
            targets_[t].values.template data<T>() + place * size_.height * size_.width);
      } else if (!target.boxes.empty() && target.boxes != target.name) {
        keep_rows(values, target.shape.numel(), kept[info_.target_index(target.boxes)]);
      }
    };
    std::visit(put_values, sample.targets[t].values);
    if (target.form == TargetForm::ragged) {
      ragged_[t][static_cast<size_t>(place)].values = sample.targets[t].values;
    }
  }
}

Tensor Collator::make_ragged(const TargetInfo& info, const std::vector<SampleTarget>& rows,
                             Tensor& offsets) const {
  const int64_t width = info.shape.numel();
  offsets = Tensor::empty({count_ + 1}, DType::i64);
  auto* offset = offsets.data<int64_t>();
  *offset = 0;
  for (const SampleTarget& of_image : rows) {
    const auto count =
        std::visit([](const auto& values) { return values.size(); }, of_image.values);
    offset[1] = offset[0] + static_cast<int64_t>(count) / width;
    ++offset;
  }
  Tensor result = Tensor::empty(with_front(*offset, info.shape), info.dtype);
  int64_t filled = 0;
  for (const SampleTarget& of_image : rows) {
    std::visit(
        [&](const auto& values) {
          using T = typename std::remove_reference_t<decltype(values)>::value_type;
          std::copy(values.begin(), values.end(), result.data<T>() + filled);
          filled += static_cast<int64_t>(values.size());
        },
        of_image.values);
  }
  return result;
}

std::vector<BatchTarget> Collator::finish() {
  for (size_t t = 0; t < targets_.size(); ++t) {
    if (info_.targets[t].form != TargetForm::ragged) continue;
    targets_[t].values = make_ragged(info_.targets[t], ragged_[t], targets_[t].offsets);
  }
  return std::move(targets_);
}

}  // namespace diagrad::data
