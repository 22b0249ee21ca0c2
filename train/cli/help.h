#pragma once

#include <string>

namespace CLI {
class App;
}

namespace diagrad::cli {

/// The text of --help of the program or of one command, in at most 80 columns.
std::string help_text(const CLI::App& app);

}  // namespace diagrad::cli
