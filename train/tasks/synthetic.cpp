#include "diagrad/train/tasks/synthetic.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/data/sample.h"

namespace diagrad::train {
namespace {

class SyntheticSet : public data::Dataset {
 public:
  SyntheticSet(data::DatasetInfo info, int64_t size, uint64_t seed)
      : Dataset(std::move(info)),
        size_(size),
        pixels_(static_cast<size_t>(size * this->info().image.numel())) {
    RandomStream random(seed, stream_id("bench"));
    for (uint8_t& pixel : pixels_) pixel = static_cast<uint8_t>(random.uniform(0.0, 256.0));
  }

  int64_t size() const override { return size_; }

  void read(int64_t index, data::Sample& sample) const override {
    const int64_t count = info().image.numel();
    sample.start(info(), info().image);
    std::copy_n(pixels_.begin() + index * count, count, sample.pixels.begin());
    for (size_t i = 0; i < info().targets.size(); ++i) {
      fill(info().targets[i], index, sample.targets[i]);
    }
  }

  std::string source(int64_t index) const override { return "image " + std::to_string(index); }

 private:
  void fill(const data::TargetInfo& target, int64_t index, data::SampleTarget& out) const {
    const Shape& image = info().image;
    const bool is_map = target.form == data::TargetForm::map;
    const int64_t count = is_map ? image[0] * image[1] : target.shape.numel();
    std::visit(
        [&](auto& values) {
          using T = typename std::decay_t<decltype(values)>::value_type;
          for (int64_t i = 0; i < count; ++i) values.push_back(value<T>(target, index + i));
        },
        out.values);
    if (target.boxes != target.name) return;
    out.values =
        std::vector<float>{0.0F, 0.0F, static_cast<float>(image[1]), static_cast<float>(image[0])};
  }

  template <typename T>
  T value(const data::TargetInfo& target, int64_t number) const {
    const int64_t classes = std::max<int64_t>(info().class_count(), 1);
    if (target.dtype == DType::f32)
      return static_cast<T>(static_cast<double>(number % 100) / 100.0);
    return static_cast<T>(number % classes);
  }

  int64_t size_;
  std::vector<uint8_t> pixels_;
};

}  // namespace

data::DatasetPtr synthetic_set(const TaskInfo& task, const Shape& image, int64_t classes,
                               int64_t size, uint64_t seed) {
  data::DatasetInfo info;
  info.name = "noise";
  info.image = image;
  info.classes.resize(static_cast<size_t>(classes));
  info.targets = task.targets;
  info.normalization = "cifar";
  return std::make_shared<SyntheticSet>(std::move(info), size, seed);
}

int64_t synthetic_outputs(const Task& task, const Shape& image, int64_t classes) {
  constexpr int64_t kUsual = 10;
  data::DatasetInfo info;
  info.name = "noise";
  info.image = image;
  info.classes.resize(static_cast<size_t>(classes == 0 ? kUsual : classes));
  return task.outputs(info, classes);
}

}  // namespace diagrad::train
