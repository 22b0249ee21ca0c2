#include "diagrad/core/build_info.h"

#include <fmt/format.h>

#include <fstream>
#include <vector>

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
  std::vector<std::string> missing;
#if defined(__x86_64__)
#if defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512f")) missing.emplace_back("avx512f");
#endif
#if defined(__AVX512BW__)
  if (!__builtin_cpu_supports("avx512bw")) missing.emplace_back("avx512bw");
#endif
#if defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2")) missing.emplace_back("avx2");
#endif
#if defined(__FMA__)
  if (!__builtin_cpu_supports("fma")) missing.emplace_back("fma");
#endif
#endif
  if (missing.empty()) return {};
  return fmt::format(
      "this CPU lacks {}, which the build for '{}' needs; rebuild with -DDIAGRAD_ARCH=x86-64-v3 or "
      "native",
      fmt::join(missing, ", "), DIAGRAD_ARCH);
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace diagrad
