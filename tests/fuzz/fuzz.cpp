// The readers of tests/readers under libFuzzer: see run.sh beside this file.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/readers/reader_case.h"
#include "tests/support/mutator.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using diagrad::testing::Mutator;
using diagrad::testing::reader_cases;
using diagrad::testing::ReaderCase;

/// The one that DIAGRAD_READER names; where it names none, prints all names and leaves.
const ReaderCase& chosen() {
  const char* name = std::getenv("DIAGRAD_READER");
  for (const ReaderCase& reader : reader_cases()) {
    if (name != nullptr && reader.name == name) return reader;
  }
  for (const ReaderCase& reader : reader_cases()) std::printf("%s\n", reader.name.c_str());
  std::fflush(stdout);
  std::_Exit(0);  // an exit like others counts as a failure
}

size_t give(const std::string& bytes, uint8_t* data, size_t max_size) {
  const size_t size = std::min(bytes.size(), max_size);
  std::memcpy(data, bytes.data(), size);
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ReaderCase& reader = chosen();
  reads(reader, std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}

/// Half by our own changes, which know what the examples look like, half by the fuzzer's.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  static const std::vector<std::string> examples = chosen().examples();
  if (size < 2) return give(examples[seed % examples.size()], data, max_size);
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  Mutator mutator("fuzz", examples, seed);
  return give(mutator.changed(std::string(reinterpret_cast<char*>(data), size)), data, max_size);
}
