#pragma once

#include <string>

namespace diagrad {

/// How this library was built.
struct BuildInfo {
  std::string version;
  std::string commit;    ///< with "-dirty" for changed files; empty outside a git checkout
  std::string compiler;  ///< name and version
  std::string build_type;
  std::string architecture;     ///< the value of -march
  std::string sanitizers;       ///< empty without
  std::string instruction_set;  ///< widest vector set the code uses: avx512, avx2, sse2
};

const BuildInfo& build_info();

/// Empty when this CPU can run the build; else one line that says what it lacks (cpu_check.h: such
/// a process ends when it starts).
std::string missing_cpu_features();

/// "Intel(R) Xeon(R) ..." as the system names it.
std::string cpu_name();

}  // namespace diagrad
