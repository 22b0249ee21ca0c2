#include "tests/cli/small_run.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/train/support.h"

namespace diagrad::testing {

namespace fs = std::filesystem;

Words joined(Words first, const Words& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

Words small_train(const std::string& out, const Words& more) {
  return joined({"train", "--model", "resnet8", "--model-opt", "width=4", "--batch", "8",
                 "--epochs", "1", "--threads", "1", "--workers", "0", "--data",
                 "shapes:size=16,train=24,test=16", "--out", out},
                more);
}

void make_small_run(const std::string& out, const Words& more) {
  const ProgramResult result = run_program(small_train(out, more));
  CAPTURE(result.out);
  CHECK(result.err.empty());
  REQUIRE(result.code == 0);
}

std::map<std::string, std::string> contents(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().string()] = text_of(entry.path().string());
  }
  return files;
}

bool fails(const Words& arguments, int code, const std::string& words,
           const ProgramOptions& options) {
  const ProgramResult result = run_program(arguments, options);
  return is_refusal(result, code, words);
}

}  // namespace diagrad::testing
