#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/option.h"

namespace diagrad::train {

/// A move from noise level `from` to `to`, both alpha-bar: 0 <= from < to <= 1; 1 is the clean
/// image.
struct SamplerMove {
  double from = 0.0;
  double to = 1.0;
  std::optional<double> before = {};  ///< `from` of the move before; nothing: this is the first
};

/// x' = x * x_t + x0 * (prediction of x0 at x_t) + x0_before * (prediction of the move before)
///      + noise * z        z ~ N(0, 1)
struct SamplerWeights {
  double x = 0.0;
  double x0 = 0.0;
  double x0_before = 0.0;  ///< 0 at the first move
  double noise = 0.0;
};

/// A way from noise to images. All that it decides are the weights of a move, so it keeps no
/// history: two samplings in a row give the same.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Finite for every move; {0, 1, 0, 0} where the move ends at the clean image.
  virtual SamplerWeights weights(const SamplerMove& move) const = 0;
};

/// An entry of the registry: `name:option=value,...`.
struct SamplerInfo {
  std::string name = {};
  std::string help = {};  ///< one line
  std::string citation = {};
  std::vector<Option> options = {};
  std::function<std::shared_ptr<const Sampler>(const OptionValues&)> make = {};
};

/// `const bool registered = register_sampler({...});` at namespace scope of the sampler's file.
bool register_sampler(SamplerInfo info);
/// All samplers, in order of their names.
const std::vector<SamplerInfo>& samplers();
/// The entry that `name:option=value,...` names. Throws Error(usage) with the names there are.
const SamplerInfo& find_sampler(std::string_view text);
/// The sampler that `name:option=value,...` describes.
std::shared_ptr<const Sampler> make_sampler(std::string_view text);

}  // namespace diagrad::train
