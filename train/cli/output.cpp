#include "diagrad/train/cli/output.h"

#include <cerrno>
#include <utility>

namespace diagrad::cli {
namespace {

int first_failure = 0;

/// stdio says that it failed, and not always why.
void note_failure(const std::FILE* file) {
  if (file == stdout && first_failure == 0) first_failure = errno != 0 ? errno : EIO;
}

}  // namespace

void write(std::FILE* file, std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) note_failure(file);
}

void flush(std::FILE* file) {
  errno = 0;
  if (std::fflush(file) != 0) note_failure(file);
}

int take_output_failure() {
  flush(stdout);
  // Of a command that prints by itself.
  if (std::ferror(stdout) != 0) note_failure(stdout);
  std::clearerr(stdout);
  return std::exchange(first_failure, 0);
}

}  // namespace diagrad::cli
