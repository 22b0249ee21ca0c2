#include "diagrad/train/run/file_text.h"

#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/train/run/file.h"
#include "diagrad/train/run/json_text.h"

namespace diagrad::train {

std::string file_text(const std::string& path, int64_t most) {
  try {
    return read_file(path, most);
  } catch (const Error&) {
    return {};
  }
}

nlohmann::json file_json(const std::string& path) {
  return parse_json(file_text(path));
}

}  // namespace diagrad::train
