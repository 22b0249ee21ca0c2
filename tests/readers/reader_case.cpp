#include "tests/readers/reader_case.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "diagrad/core/error.h"
#include "tests/data/support.h"

namespace diagrad::testing {
namespace {

std::vector<ReaderCase>& all() {
  static std::vector<ReaderCase> cases;
  return cases;
}

}  // namespace

const std::vector<ReaderCase>& reader_cases() {
  return all();
}

ReaderRegistration::ReaderRegistration(std::initializer_list<ReaderCase> cases) {
  all().insert(all().end(), cases);
  std::sort(all().begin(), all().end(),
            [](const ReaderCase& a, const ReaderCase& b) { return a.name < b.name; });
}

bool reads(const ReaderCase& reader, const std::string& input) {
  try {
    reader.read(input);
    return true;
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.empty() || message.find('\n') != std::string::npos) {
      throw std::logic_error("not one line: '" + message + "'");
    }
    return false;
  }
}

std::string input_file(const std::string& name, const std::string& bytes) {
  static const TemporaryFolder folder;
  const std::filesystem::path path = folder.path(name);
  // A new file each time: truncating an old one costs a flush of the disk on some file systems.
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

}  // namespace diagrad::testing
