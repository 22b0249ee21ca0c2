#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/shape.h"
#include "diagrad/nn/module.h"

namespace diagrad::models {

/// What decides a model beside its name.
struct ModelSpec {
  int64_t classes = 10;
  Shape input = {};                ///< of one image, [H,W,C]
  std::string attention = "none";  ///< name[:option=value,...]
  std::string sharing = {};        ///< block, stage or network; empty: as the attention is meant
  std::vector<std::pair<std::string, std::string>> options = {};  ///< the model's, by --model-opt
  uint64_t seed = 0;                                              ///< of the first weights
};

struct ModelInfo {
  std::string name = {};
  std::string help = {};  ///< one line
  std::vector<Option> options = {};
  std::function<std::shared_ptr<nn::Module>(const ModelSpec&, const OptionValues&)> make = {};
};

/// `const bool registered = register_model({...});` at namespace scope of the model's file.
bool register_model(ModelInfo info);
/// All models, in order of their names.
const std::vector<ModelInfo>& list();
/// Throws for a name that is not registered or an option that the model does not have, with what
/// there is.
std::shared_ptr<nn::Module> create(const std::string& name, const ModelSpec& spec);

}  // namespace diagrad::models
