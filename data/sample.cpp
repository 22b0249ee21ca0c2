#include "diagrad/data/sample.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "diagrad/core/error.h"
#include "diagrad/data/dataset.h"

namespace diagrad::data {
namespace {

bool has_names_of(const Sample& sample, const std::vector<TargetInfo>& targets) {
  return std::equal(
      sample.targets.begin(), sample.targets.end(), targets.begin(), targets.end(),
      [](const SampleTarget& target, const TargetInfo& info) { return target.name == info.name; });
}

void set_dtype(SampleTarget& target, DType dtype) {
  const auto use = [&](auto empty) {
    if (auto* values = std::get_if<decltype(empty)>(&target.values)) {
      values->clear();
    } else {
      target.values = std::move(empty);
    }
  };
  if (dtype == DType::u8) {
    use(std::vector<uint8_t>());
  } else if (dtype == DType::i64) {
    use(std::vector<int64_t>());
  } else {
    use(std::vector<float>());
  }
}

template <typename T>
void check_values(const DatasetInfo& info, const TargetInfo& target, const std::vector<T>& values) {
  DG_ASSERT(target.dtype == DTypeOf<T>::value, "{}: target '{}' is {}, declared as {}", info.name,
            target.name, name(DTypeOf<T>::value), name(target.dtype));
  if constexpr (std::is_same_v<T, int64_t>) {
    if (!target.class_index) return;
    for (const int64_t value : values) {
      if (value >= 0 && value < info.class_count()) continue;
      fail(ErrorKind::data, "{} {} is outside 0..{}", target.name, value, info.class_count() - 1);
    }
  }
  if constexpr (std::is_same_v<T, float>) {
    if (target.boxes != target.name) return;
    for (const float value : values) {
      if (std::isfinite(value)) continue;
      fail(ErrorKind::data, "a box in '{}' has the coordinate {}", target.name, value);
    }
  }
}

/// Where the rows of `target` have boxes, their number; else that of the values it has.
int64_t expected_rows(const DatasetInfo& info, const Sample& sample, const TargetInfo& target,
                      int64_t count) {
  if (target.boxes.empty() || target.boxes == target.name) return count / target.shape.numel();
  const size_t place = info.target_index(target.boxes);
  return static_cast<int64_t>(std::get<std::vector<float>>(sample.targets[place].values).size()) /
         4;
}

int64_t expected_count(const DatasetInfo& info, const Sample& sample, const TargetInfo& target,
                       int64_t count) {
  switch (target.form) {
    case TargetForm::fixed:
      return target.shape.numel();
    case TargetForm::map:
      return sample.height * sample.width;
    case TargetForm::ragged:
      break;
  }
  return expected_rows(info, sample, target, count) * target.shape.numel();
}

}  // namespace

void Sample::start(const DatasetInfo& info, const Shape& image) {
  DG_CHECK(image.rank() == 3, "{}: an image is {}, expected [H,W,C]", info.name, image);
  height = image[0];
  width = image[1];
  channels = image[2];
  pixels.resize(static_cast<size_t>(image.numel()));
  if (!has_names_of(*this, info.targets)) {
    targets.clear();
    for (const TargetInfo& target : info.targets) targets.push_back({target.name, {}});
  }
  for (size_t i = 0; i < targets.size(); ++i) set_dtype(targets[i], info.targets[i].dtype);
}

template <typename T>
const std::vector<T>& Sample::values(std::string_view name) const {
  for (const SampleTarget& target : targets) {
    if (target.name != name) continue;
    const auto* values = std::get_if<std::vector<T>>(&target.values);
    DG_CHECK(values != nullptr, "sample: target '{}' is not {}", name,
             diagrad::name(DTypeOf<T>::value));
    return *values;
  }
  std::vector<std::string> names;
  for (const SampleTarget& target : targets) names.push_back(target.name);
  fail(ErrorKind::usage, "sample: no target '{}' (its targets: {})", name, fmt::join(names, ", "));
}

template <typename T>
std::vector<T>& Sample::values(std::string_view name) {
  return const_cast<std::vector<T>&>(static_cast<const Sample*>(this)->values<T>(name));
}

template std::vector<uint8_t>& Sample::values(std::string_view);
template std::vector<int64_t>& Sample::values(std::string_view);
template std::vector<float>& Sample::values(std::string_view);
template const std::vector<uint8_t>& Sample::values(std::string_view) const;
template const std::vector<int64_t>& Sample::values(std::string_view) const;
template const std::vector<float>& Sample::values(std::string_view) const;

void check_sample(const DatasetInfo& info, const Sample& sample) {
  const Shape image{sample.height, sample.width, sample.channels};
  const auto fits = [](int64_t size, int64_t expected) {
    return expected == 0 || size == expected;
  };
  if (sample.height < 1 || sample.width < 1 || !fits(sample.height, info.image[0]) ||
      !fits(sample.width, info.image[1]) || sample.channels != info.image[2]) {
    fail(ErrorKind::data, "image is {}, expected {}{}", image, info.image,
         info.image[0] == 0 ? " (0: any size)" : "");
  }
  if (static_cast<int64_t>(sample.pixels.size()) != image.numel()) {
    fail(ErrorKind::data, "image has {} bytes, expected {} for {}", sample.pixels.size(),
         image.numel(), image);
  }
  DG_ASSERT(has_names_of(sample, info.targets), "{}: a sample without the targets of its data set",
            info.name);
  for (size_t i = 0; i < info.targets.size(); ++i) {
    const TargetInfo& target = info.targets[i];
    std::visit(
        [&](const auto& values) {
          check_values(info, target, values);
          const auto count = static_cast<int64_t>(values.size());
          const int64_t expected = expected_count(info, sample, target, count);
          if (count == expected) return;
          fail(ErrorKind::data, "{} has {} values, expected {} ({}, {}{})", target.name, count,
               expected, name(target.form), target.shape,
               target.boxes.empty() || target.boxes == target.name
                   ? ""
                   : fmt::format(", a row for each of '{}'", target.boxes));
        },
        sample.targets[i].values);
  }
}

}  // namespace diagrad::data
