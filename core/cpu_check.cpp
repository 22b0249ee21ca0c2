#include "diagrad/core/cpu_check.h"

#include <string.h>  // NOLINT(modernize-deprecated-headers): no C++ library here, see the header
#include <unistd.h>

// Compiled for the least processor of the architecture (cmake/DiagradLibrary.cmake).

namespace diagrad::cpu {
namespace {

constexpr int kExitDevice = 6;
constexpr size_t kLineBytes = 512;

struct Line {
  char* text;
  size_t size;
  size_t used;
};

void append(Line* line, const char* word) {
  for (; *word != '\0' && line->used + 1 < line->size; ++word) line->text[line->used++] = *word;
  line->text[line->used] = '\0';
}

bool contains(const char* const* names, const char* name) {
  for (; *names != nullptr; ++names) {
    if (strcmp(*names, name) == 0) return true;
  }
  return false;
}

#if defined(__x86_64__)
/// Those that this processor and its system offer.
void find_present(const char** names) {
  __builtin_cpu_init();
#define DG_ADD_IF_PRESENT(name) \
  if (__builtin_cpu_supports(name)) *names++ = name
  DG_ADD_IF_PRESENT("sse3");
  DG_ADD_IF_PRESENT("ssse3");
  DG_ADD_IF_PRESENT("sse4.1");
  DG_ADD_IF_PRESENT("sse4.2");
  DG_ADD_IF_PRESENT("popcnt");
  DG_ADD_IF_PRESENT("avx");
  DG_ADD_IF_PRESENT("avx2");
  DG_ADD_IF_PRESENT("fma");
  DG_ADD_IF_PRESENT("bmi");
  DG_ADD_IF_PRESENT("bmi2");
  DG_ADD_IF_PRESENT("avx512f");
  DG_ADD_IF_PRESENT("avx512cd");
  DG_ADD_IF_PRESENT("avx512bw");
  DG_ADD_IF_PRESENT("avx512dq");
  DG_ADD_IF_PRESENT("avx512vl");
  DG_ADD_IF_PRESENT("avx512ifma");
  DG_ADD_IF_PRESENT("avx512vbmi");
  DG_ADD_IF_PRESENT("avx512vbmi2");
  DG_ADD_IF_PRESENT("avx512vnni");
  DG_ADD_IF_PRESENT("avx512bitalg");
  DG_ADD_IF_PRESENT("avx512vpopcntdq");
  DG_ADD_IF_PRESENT("avx512bf16");
#undef DG_ADD_IF_PRESENT
  *names = nullptr;
}
#else
void find_present(const char** names) {
  *names = nullptr;
}
#endif

/// Before the constructors of all objects with static lifetime.
__attribute__((constructor(101))) void refuse_lesser_processors() {
  char line[kLineBytes];
  if (describe_missing_here(line, sizeof line) == 0) return;
  const char begin[] = "diagrad: error: ";
  // Where standard error is closed there is nobody to tell.
  if (write(STDERR_FILENO, begin, sizeof begin - 1) < 0 ||
      write(STDERR_FILENO, line, strlen(line)) < 0 || write(STDERR_FILENO, "\n", 1) < 0) {
    _exit(kExitDevice);
  }
  _exit(kExitDevice);
}

}  // namespace

int describe_missing(const char* const* needed, const char* const* present, char* text,
                     size_t size) {
  Line line{text, size, 0};
  append(&line, "");
  int count = 0;
  for (; *needed != nullptr; ++needed) {
    if (contains(present, *needed)) continue;
    append(&line, count == 0 ? "this processor lacks " : ", ");
    append(&line, *needed);
    ++count;
  }
  if (count > 0) {
    append(&line, ", which this build (-march=" DIAGRAD_ARCH
                  ") uses; build it here, or with -DDIAGRAD_ARCH=x86-64-v3 or x86-64");
  }
  return count;
}

int describe_missing_here(char* line, size_t size) {
  constexpr size_t kMost = 32;
  const char* present[kMost];
  find_present(present);
  return describe_missing(kNeeded, present, line, size);
}

}  // namespace diagrad::cpu
