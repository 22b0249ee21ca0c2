#pragma once

#include <map>
#include <string>
#include <vector>

namespace diagrad::testing {

/// Texts of source files by path from the root of the repository: `ops/relu.h`.
using Sources = std::map<std::string, std::string>;

/// All .h and .cpp files of core, autograd, ops, nn, data, models and train.
Sources library_sources();

/// `#include "diagrad/<target>"` in line `line` of `file`.
struct Include {
  std::string file;
  int line = 0;
  std::string target;
};

/// The includes of own headers, in the order of files and lines.
std::vector<Include> includes_of(const Sources& sources);

/// The folder of a path: `ops/cpu` of `ops/cpu/relu.cpp`.
std::string folder_of(const std::string& path);

/// `core/tensor.cpp:8 includes core/elementwise.h`, a line per include.
std::string text_of(const std::vector<Include>& path);

}  // namespace diagrad::testing
