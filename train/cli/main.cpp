#include "diagrad/train/cli/main.h"

#include <cstdio>

#include "diagrad/core/build_info.h"

namespace diagrad::cli {

int main(int /*argc*/, char** /*argv*/) {
  std::puts(build_info().version.c_str());
  return 0;
}

}  // namespace diagrad::cli
