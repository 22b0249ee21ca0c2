#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#if defined(__clang__)
#if __has_feature(address_sanitizer)
/// LLVM's OpenMP keeps its own blocks to the end.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libomp.so";
}
#endif
#endif
