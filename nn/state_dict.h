#pragma once

#include <map>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::nn {

using StateDict = std::map<std::string, Tensor>;

struct LoadOptions {
  bool strict = true;
};

/// How given tensors fit the live ones they are to be copied into.
struct LoadReport {
  std::vector<std::string> missing;     ///< live, not given
  std::vector<std::string> unexpected;  ///< given, not live
  std::vector<std::string> different;   ///< "fc.weight is f32 [10,64] there, f32 [100,64] here"

  bool complete() const { return missing.empty() && unexpected.empty() && different.empty(); }
  /// One line with the first few of each kind and how many more there are; empty when complete.
  std::string text() const;
};

/// "a, b, c and 7 more"
std::string first_few(const std::vector<std::string>& names);
/// "f32 [10,64]"
std::string form_of(const Tensor& tensor);

/// What loading `given` into `live` would report; changes nothing.
LoadReport compare(const StateDict& live, const StateDict& given);
/// Copies what fits; the report says what did not.
LoadReport load(const StateDict& live, const StateDict& given);

}  // namespace diagrad::nn
