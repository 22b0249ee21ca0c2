#include "diagrad/core/file_text.h"

#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/json_text.h"

namespace diagrad {

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

}  // namespace diagrad
