#include "diagrad/core/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace diagrad {
namespace {

int first_failure = 0;

/// stdio says that it failed, and not always why.
void note_failure(const std::FILE* file) {
  if (file == stdout && first_failure == 0) first_failure = errno != 0 ? errno : EIO;
}

}  // namespace

void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;  // NOLINT
    // The lowest free descriptor, as those below are open.
    const int flags = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", flags) != descriptor) return;  // NOLINT
  }
}

void write_stream(std::FILE* file, std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) note_failure(file);
}

void flush_stream(std::FILE* file) {
  errno = 0;
  if (std::fflush(file) != 0) note_failure(file);
}

int take_output_failure() {
  flush_stream(stdout);
  // Of a command that prints by itself.
  if (std::ferror(stdout) != 0) note_failure(stdout);
  std::clearerr(stdout);
  return std::exchange(first_failure, 0);
}

}  // namespace diagrad
