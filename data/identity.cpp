#include "diagrad/data/identity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/hash.h"

namespace diagrad::data {
namespace {

constexpr int64_t kSampled = 1024;
constexpr const char* kNoSet = "0000000000000000";

void add_sample(const Sample& sample, Hash& hash) {
  const int64_t size[] = {sample.height, sample.width, sample.channels};
  hash.add(size, sizeof size);
  hash.add(sample.pixels.data(), sample.pixels.size());
  for (const SampleTarget& target : sample.targets) {
    std::visit(
        [&](const auto& values) { hash.add(values.data(), values.size() * sizeof values[0]); },
        target.values);
  }
}

std::string hash_of(const DatasetPtr& set) {
  if (!set) return kNoSet;
  Hash hash;
  std::vector<int64_t> labels(static_cast<size_t>(set->size()));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = set->label(static_cast<int64_t>(i));
  hash.add(labels.data(), labels.size() * sizeof labels[0]);
  const int64_t count = std::min(set->size(), kSampled);
  Sample sample;
  for (int64_t i = 0; i < count; ++i) {
    set->read(i * set->size() / count, sample);
    add_sample(sample, hash);
  }
  return hash.text();
}

/// The words of a hash: train, validation and test. Nothing for a text that is none.
std::vector<std::string> words(const std::string& hash) {
  std::vector<std::string> all;
  for (size_t at = 0; at <= hash.size();) {
    const size_t end = std::min(hash.find('-', at), hash.size());
    all.push_back(hash.substr(at, end - at));
    at = end + 1;
  }
  return all.size() == 3 ? all : std::vector<std::string>();
}

/// The first few names, and how many there are.
std::string names(const std::vector<std::string>& classes) {
  constexpr size_t kShown = 3;
  const size_t shown = std::min(classes.size(), kShown);
  const std::string text =
      fmt::format("{}", fmt::join(classes.begin(), classes.begin() + shown, ", "));
  return shown < classes.size() ? fmt::format("{}, ... ({})", text, classes.size()) : text;
}

/// The first label with different names.
std::string class_difference(const std::vector<std::string>& run,
                             const std::vector<std::string>& other) {
  if (run.size() != other.size()) {
    return fmt::format("classes: {} there, {} here", names(run), names(other));
  }
  const auto at = std::mismatch(run.begin(), run.end(), other.begin());
  return fmt::format("class {}: {} there, {} here", at.first - run.begin(), *at.first, *at.second);
}

bool are_numbers(const std::vector<std::string>& classes) {
  for (size_t k = 0; k < classes.size(); ++k) {
    if (classes[k] != fmt::format("class {}", k)) return false;
  }
  return true;
}

/// For each name of `own` its place in `classes`; nothing where one is not there.
std::optional<std::vector<int64_t>> places(const std::vector<std::string>& own,
                                           const std::vector<std::string>& classes) {
  std::vector<int64_t> result;
  for (const std::string& name : own) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) return std::nullopt;
    result.push_back(found - classes.begin());
  }
  return result;
}

class Relabeled : public Dataset {
 public:
  Relabeled(DatasetPtr whole, DatasetInfo info, std::vector<int64_t> places)
      : Dataset(std::move(info)), whole_(std::move(whole)), places_(std::move(places)) {}

  int64_t size() const override { return whole_->size(); }
  std::string source(int64_t index) const override { return whole_->source(index); }
  int64_t label(int64_t index) const override {
    const int64_t own = whole_->label(index);
    return own < 0 ? own : places_.at(static_cast<size_t>(own));
  }
  void read(int64_t index, Sample& sample) const override {
    whole_->read(index, sample);
    check_sample(whole_->info(), sample);
    for (const TargetInfo& target : info().targets) {
      if (!target.class_index) continue;
      for (int64_t& value : sample.values<int64_t>(target.name)) {
        value = places_.at(static_cast<size_t>(value));
      }
    }
  }

 private:
  DatasetPtr whole_;
  std::vector<int64_t> places_;  ///< by the class index of whole_
};

}  // namespace

DataIdentity identify(const DatasetSplits& splits) {
  const DatasetInfo& info = splits.train->info();
  DataIdentity identity;
  identity.name = info.name;
  identity.input = info.image;
  identity.classes = info.classes;
  identity.train_images = splits.train->size();
  identity.validation_images = splits.validation ? splits.validation->size() : 0;
  identity.test_images = splits.test->size();
  identity.hash = fmt::format("{}-{}-{}", hash_of(splits.train), hash_of(splits.validation),
                              hash_of(splits.test));
  return identity;
}

std::vector<std::string> differences(const DataIdentity& run, const DataIdentity& other) {
  std::vector<std::string> all;
  const auto compare = [&](const char* what, const auto& there, const auto& here) {
    if (there != here) all.push_back(fmt::format("{}: {} there, {} here", what, there, here));
  };
  compare("image size", run.input, other.input);
  if (run.classes != other.classes) all.push_back(class_difference(run.classes, other.classes));
  compare("training images", run.train_images, other.train_images);
  compare("validation images", run.validation_images, other.validation_images);
  compare("test images", run.test_images, other.test_images);
  const std::vector<std::string> there = words(run.hash);
  const std::vector<std::string> here = words(other.hash);
  if (!there.empty() && !here.empty()) {
    const bool counts[] = {run.train_images == other.train_images,
                           run.validation_images == other.validation_images,
                           run.test_images == other.test_images};
    const char* sets[] = {"training", "validation", "test"};
    for (size_t i = 0; i < 3; ++i) {
      if (counts[i] && there[i] != here[i]) {
        all.push_back(fmt::format("pixels or targets of the {} images", sets[i]));
      }
    }
  }
  if (!all.empty() && run.name != other.name) {
    all.insert(all.begin(), fmt::format("{} there, {} here", run.name, other.name));
  }
  return all;
}

ClassMatch match_classes(const std::vector<std::string>& run,
                         const std::vector<std::string>& other) {
  if (run.empty() || run == other) return ClassMatch::same;
  if (run.size() == other.size() && (are_numbers(run) || are_numbers(other))) {
    return ClassMatch::same;
  }
  return places(other, run) ? ClassMatch::reordered : ClassMatch::other;
}

DatasetPtr with_classes(DatasetPtr dataset, std::vector<std::string> classes) {
  DatasetInfo info = dataset->info();
  auto found = places(info.classes, classes);
  if (!found) {
    fail(ErrorKind::data, "data: {} has the classes {}, expected some of {}", info.name,
         names(info.classes), names(classes));
  }
  info.classes = std::move(classes);
  return std::make_shared<Relabeled>(std::move(dataset), std::move(info), std::move(*found));
}

}  // namespace diagrad::data
