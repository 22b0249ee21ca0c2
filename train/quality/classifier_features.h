#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "diagrad/core/tensor.h"
#include "diagrad/data/dataset.h"
#include "diagrad/train/quality/moments.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::train {

/// A trained classifier as a map from images to d features: what its last layer is given.
class ClassifierFeatures {
 public:
  /// Throws Error(checkpoint) for a net that is no classifier: it gives no logits, or it names no
  /// head that is a linear layer.
  explicit ClassifierFeatures(const TrainedModel& classifier);

  int64_t width() const { return width_; }
  /// Of the classifier's weights, 16 hexadecimal digits.
  const std::string& hash() const { return hash_; }
  /// [H,W,C] of the images that it was trained on.
  const Shape& image() const { return image_; }
  /// The preset that its images are normalized by.
  const std::string& normalization() const { return normalization_; }

  /// images: [B,H,W,C], normalized so. Gives [B,d], without a graph.
  Tensor features(const Tensor& images);

 private:
  int64_t width_ = 0;
  std::string hash_;
  Shape image_;
  std::string normalization_;
  std::shared_ptr<nn::Module> model_;
};

struct FeatureOptions {
  int64_t batch = 256;
  int workers = 0;
  std::function<void(int64_t done, int64_t total)> progress = {};  ///< before each batch
};

/// The moments of the features of all images of a set. Throws Error(data) for images of another
/// size than the classifier was trained on: nothing is resized.
Moments feature_moments(ClassifierFeatures& classifier, const data::DatasetPtr& set,
                        const FeatureOptions& options);

}  // namespace diagrad::train
