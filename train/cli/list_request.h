#pragma once

#include <string>

namespace diagrad::cli {

/// Thrown for `--attention help` and its like: the user wants the list, not the command.
struct ListRequest {
  std::string command;  ///< "attention"
};

}  // namespace diagrad::cli
