// The cases of tests/parity/differential and what diagrad makes of them, for compare.py:
//
//     differential cases.safetensors SEED COUNT
//
// COUNT cases of every operation. Exit code 2 for other arguments, 1 where something fails.

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/parity/differential/operation.h"

int main(int argc, char** argv) {
  const long long seed = argc == 4 ? std::atoll(argv[2]) : -1;
  const long long count = argc == 4 ? std::atoll(argv[3]) : 0;
  if (seed < 0 || count < 1) {
    std::fprintf(stderr, "differential FILE SEED COUNT: a seed from 0, a count from 1\n");
    return 2;
  }
  try {
    const int64_t cases = diagrad::parity::write_cases(argv[1], static_cast<uint64_t>(seed), count);
    std::printf("%lld cases in %s\n", static_cast<long long>(cases), argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "differential: %s\n", error.what());
    return 1;
  }
  return 0;
}
