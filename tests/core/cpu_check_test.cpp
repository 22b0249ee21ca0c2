#include "diagrad/core/cpu_check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "diagrad/core/build_info.h"

namespace diagrad {
namespace {

using Names = std::vector<const char*>;

/// How many of `needed` are not in `present`, and the line about them.
std::string missing(Names needed, Names present, int expected, size_t size = 512) {
  needed.push_back(nullptr);
  present.push_back(nullptr);
  std::vector<char> line(size, '?');
  CHECK(cpu::describe_missing(needed.data(), present.data(), line.data(), size) == expected);
  return line.data();
}

TEST_CASE("a processor that has all that is needed is accepted") {
  CHECK(missing({}, {}, 0).empty());
  CHECK(missing({"avx2", "fma"}, {"fma", "sse3", "avx2"}, 0).empty());
}

TEST_CASE("what a processor lacks is told by name, with what to do") {
  const std::string one = missing({"avx2", "fma"}, {"fma", "avx"}, 1);
  CHECK(one.rfind("this processor lacks avx2, which this build (-march=", 0) == 0);
  CHECK(one.find("-DDIAGRAD_ARCH=x86-64-v3") != std::string::npos);
  CHECK(missing({"avx512f", "avx2", "fma"}, {"avx2"}, 2)
            .rfind("this processor lacks avx512f, fma, which", 0) == 0);
  CHECK(missing({"avx2"}, {}, 1, 10) == "this proc");  // cut, never beyond its bytes
}

TEST_CASE("this processor runs this build, and the build knows what it needs") {
  CHECK(missing_cpu_features().empty());
  std::vector<std::string> needed;
  for (const char* const* name = cpu::kNeeded; *name != nullptr; ++name) needed.emplace_back(*name);
  CHECK(needed.size() < 32);
#if defined(__AVX2__)
  CHECK(std::find(needed.begin(), needed.end(), "avx2") != needed.end());
#endif
#if defined(__AVX512VL__)
  CHECK(std::find(needed.begin(), needed.end(), "avx512vl") != needed.end());
#endif
}

}  // namespace
}  // namespace diagrad
