#include "diagrad/data/dataset.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"

namespace diagrad::data {
namespace {

class Subset : public Dataset {
 public:
  Subset(DatasetPtr whole, std::vector<int64_t> indices)
      : Dataset(whole->info()), whole_(std::move(whole)), indices_(std::move(indices)) {
    for (const int64_t index : indices_) {
      DG_CHECK(index >= 0 && index < whole_->size(),
               "subset: image {} does not exist, {} has images 0 to {}", index, info().name,
               whole_->size() - 1);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  void read(int64_t index, Sample& sample) const override { whole_->read(at(index), sample); }
  int64_t label(int64_t index) const override { return whole_->label(at(index)); }
  std::string source(int64_t index) const override { return whole_->source(at(index)); }

 private:
  int64_t at(int64_t index) const { return indices_.at(static_cast<size_t>(index)); }

  DatasetPtr whole_;
  std::vector<int64_t> indices_;
};

}  // namespace

bool DatasetInfo::has_target(std::string_view target) const {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const TargetInfo& info) { return info.name == target; });
}

size_t DatasetInfo::target_index(std::string_view target) const {
  std::vector<std::string> names;
  for (const TargetInfo& info : targets) {
    if (info.name == target) return names.size();
    names.push_back(info.name);
  }
  fail(ErrorKind::data, "data: {} has no target '{}' ({})", name, target,
       names.empty() ? "it has none" : fmt::format("its targets: {}", fmt::join(names, ", ")));
}

Dataset::Dataset(DatasetInfo info) : info_(std::move(info)) {
  const Shape& image = info_.image;
  DG_CHECK(image.rank() == 3 && image[2] >= 1 && image[0] >= 0 && image[1] >= 0 &&
               (image[0] == 0) == (image[1] == 0),
           "{}: images are {}, expected [H,W,C], or [0,0,C] for different sizes", info_.name,
           image);
  check_targets(info_.name, info_.targets);
}

int64_t Dataset::label(int64_t index) const {
  const auto target =
      std::find_if(info_.targets.begin(), info_.targets.end(), [](const TargetInfo& candidate) {
        return candidate.class_index && candidate.form == TargetForm::fixed;
      });
  if (target == info_.targets.end()) return -1;
  Sample sample;
  read(index, sample);
  const std::vector<int64_t>& values = sample.values<int64_t>(target->name);
  return values.empty() ? -1 : values.front();
}

DatasetPtr subset(DatasetPtr dataset, std::vector<int64_t> indices) {
  return std::make_shared<Subset>(std::move(dataset), std::move(indices));
}

Split split_validation(const DatasetPtr& dataset, int64_t count, uint64_t seed) {
  DG_CHECK(count > 0 && count < dataset->size(),
           "val-split: {} images cannot be set aside, {} has {} training images; use 1 to {}",
           count, dataset->info().name, dataset->size(), dataset->size() - 1);
  RandomStream random(seed, stream_id("val-split"));
  std::vector<int64_t> train = permutation(dataset->size(), random);
  const auto border = train.end() - count;
  std::vector<int64_t> validation(border, train.end());
  train.erase(border, train.end());
  std::sort(train.begin(), train.end());
  std::sort(validation.begin(), validation.end());
  return {subset(dataset, std::move(train)), subset(dataset, std::move(validation))};
}

}  // namespace diagrad::data
