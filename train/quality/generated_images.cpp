#include "diagrad/train/quality/generated_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "diagrad/train/run/generate.h"

namespace diagrad::train {
namespace {

constexpr int64_t kBatch = 64;

class GeneratedImages : public data::Dataset {
 public:
  GeneratedImages(const TrainedModel& trained, std::vector<uint8_t> pixels)
      : Dataset({.name = trained.path,
                 .image = trained.info.data.input,
                 .normalization = trained.info.options.normalization}),
        pixels_(std::move(pixels)) {}

  int64_t size() const override { return std::ssize(pixels_) / info().image.numel(); }
  void read(int64_t index, data::Sample& sample) const override {
    sample.start(info(), info().image);
    const int64_t bytes = info().image.numel();
    std::copy_n(pixels_.begin() + index * bytes, bytes, sample.pixels.begin());
  }
  std::string source(int64_t index) const override {
    return fmt::format("image {} made with {}", index, info().name);
  }

 private:
  std::vector<uint8_t> pixels_;  ///< [N,H,W,C]
};

}  // namespace

data::DatasetPtr generated_images(const TrainedModel& trained, int64_t count, uint64_t seed,
                                  const std::function<void(int64_t done)>& progress) {
  const auto generator = make_generator(trained, {}, seed);
  const Shape& image = trained.info.data.input;
  std::vector<uint8_t> pixels;
  pixels.reserve(static_cast<size_t>(count * image.numel()));
  for (int64_t done = 0; done < count; done += kBatch) {
    progress(done);
    const std::vector<uint8_t> more = generator->generate(done, std::min(kBatch, count - done));
    pixels.insert(pixels.end(), more.begin(), more.end());
  }
  return std::make_shared<GeneratedImages>(trained, std::move(pixels));
}

}  // namespace diagrad::train
