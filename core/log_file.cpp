#include "diagrad/core/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"

namespace diagrad {
namespace {

[[noreturn]] void fail_with_reason(const char* action, const std::string& path) {
  const int reason = errno;
  fail(ErrorKind::checkpoint, "{}: cannot {}: {}", path, action, std::strerror(reason));
}

}  // namespace

LogFile::LogFile(std::string path, FunctionRef<bool(std::string_view line)> keep)
    : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a pipe would wait for a reader; a link would have a file cut that
  // is somebody else's.
  descriptor_ = open_descriptor(path_, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor_ < 0 && errno == ELOOP) {
    fail(ErrorKind::checkpoint, "{}: is a symbolic link, expected a file of the run's own", path_);
  }
  if (descriptor_ < 0) fail_with_reason("write", path_);
  struct stat status = {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(ErrorKind::checkpoint, "{}: is not a regular file", path_);
  }
  cut(keep);
}

LogFile::~LogFile() {
  try {
    flush();
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): a destructor has nobody to tell
  }
  close(descriptor_);
}

void LogFile::cut(FunctionRef<bool(std::string_view line)> keep) {
  std::ifstream stream(path_, std::ios::binary);
  for (std::string line; std::getline(stream, line) && !stream.eof() && keep(line);) {
    size_ += static_cast<int64_t>(line.size()) + 1;
  }
  if (ftruncate(descriptor_, size_) != 0) {
    const int reason = errno;
    close(descriptor_);
    errno = reason;
    fail_with_reason("cut", path_);
  }
}

void LogFile::add(std::string_view line) {
  waiting_ += line;
  waiting_ += '\n';
}

void LogFile::flush(bool to_disk) {
  const std::string text = std::exchange(waiting_, {});
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(descriptor_, text.data() + done, text.size() - done);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with_reason("write", path_);
    }
    done += static_cast<size_t>(written);
  }
  size_ += static_cast<int64_t>(text.size());
  if (to_disk && fdatasync(descriptor_) != 0) fail_with_reason("flush", path_);
}

}  // namespace diagrad
