#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// What the model said of one image of a data set.
struct Verdict {
  int64_t index = 0;  ///< of the image in the set
  int64_t label = 0;
  int64_t predicted = 0;           ///< largest logit; of equal ones the first counts
  double probability = 0.0;        ///< softmax at `predicted`
  double label_probability = 0.0;  ///< softmax at `label`
  double doubt = 0.0;              ///< 1 - probability, exact also where that rounds to 1
};

/// The images of a data set that say most about a model.
struct SampleChoice {
  std::vector<Verdict> wrong;  ///< the most confident errors, least doubt first
  std::vector<Verdict> right;  ///< the most confident right answer of each class, by label
};

/// Chooses while an evaluation runs. Keeps `most` mistakes and one answer per class, whatever the
/// size of the set, and no pixels. The choice is a function of the logits alone: neither the size
/// of the batches nor their order changes it; of equals the image that comes first in the set
/// counts. An image whose logits are not all finite is passed over.
class SampleChooser {
 public:
  explicit SampleChooser(int64_t most) : most_(static_cast<size_t>(most)) {}

  /// logits [B,K] (f32 or f64), labels i64 [B] in [0,K), as score() checks them; indices of
  /// the B images in their set.
  void add(const Tensor& logits, const Tensor& labels, std::span<const int64_t> indices);
  /// At most `most` of each kind. With more classes than that, those of the mistakes come first.
  SampleChoice choice() const;

 private:
  void add(const Verdict& verdict);

  size_t most_;
  std::vector<Verdict> wrong_;                 ///< sorted
  std::vector<std::optional<Verdict>> right_;  ///< by label
};

}  // namespace diagrad::train
