#include "diagrad/train/tasks/blocks.h"

#include <nlohmann/json.hpp>

namespace diagrad::train {

std::string keyed_json(const std::vector<Block>& blocks) {
  nlohmann::json object = nlohmann::json::object();
  for (const Block& block : blocks) {
    if (const auto* table = std::get_if<Table>(&block)) {
      for (const Column& column : table->columns) {
        if (!column.key.empty()) object[column.key] = column.values;
      }
    } else if (const auto* matrix = std::get_if<Matrix>(&block)) {
      if (!matrix->key.empty()) object[matrix->key] = matrix->counts;
    }
  }
  return object.dump();
}

}  // namespace diagrad::train
