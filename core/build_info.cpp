#include "diagrad/core/build_info.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

#include "diagrad/core/cpu_check.h"

namespace diagrad {
namespace detail {
extern const char* const kCommit;  // from a file that each build writes
}
namespace {

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string vector_set() {
#if defined(__AVX512F__)
  return "avx512";
#elif defined(__AVX2__)
  return "avx2";
#elif defined(__SSE2__)
  return "sse2";
#else
  return "generic";
#endif
}

}  // namespace

const BuildInfo& build_info() {
  static const BuildInfo info{DIAGRAD_VERSION,    detail::kCommit, compiler_name(),
                              DIAGRAD_BUILD_TYPE, DIAGRAD_ARCH,    DIAGRAD_SANITIZE,
                              vector_set()};
  return info;
}

std::string missing_cpu_features() {
  std::array<char, 512> line{};
  cpu::describe_missing_here(line.data(), line.size());
  return line.data();
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace diagrad
