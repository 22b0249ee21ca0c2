#include "diagrad/core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

[[noreturn]] void fail_with_reason(const char* action, const std::string& path) {
  const int reason = errno;
  fail(ErrorKind::checkpoint, "{}: cannot {}: {}", path, action, std::strerror(reason));
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Some file systems refuse to flush a folder; their renames are then as safe as they get.
void flush_folder_of(const std::string& path) {
  const int folder = open_descriptor(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

}  // namespace

int open_descriptor(const std::string& path, int flags, unsigned mode) {
  const int lowest = open(path.c_str(), flags | O_CLOEXEC, mode);  // NOLINT
  if (lowest < 0 || lowest > STDERR_FILENO) return lowest;
  const int descriptor = fcntl(lowest, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);  // NOLINT
  const int reason = errno;
  close(lowest);
  errno = reason;
  return descriptor;
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  // Made anew: what lies there may be a pipe, or a link to a file of somebody else.
  unlink(temporary(path_).c_str());
  descriptor_ = open_descriptor(temporary(path_), O_WRONLY | O_CREAT | O_EXCL);
  if (descriptor_ < 0) fail_with_reason("write", path_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!committed_) unlink(temporary(path_).c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with_reason("write", path_);
    }
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::finish() {
  if (descriptor_ < 0) return;
  if (fsync(descriptor_) != 0) fail_with_reason("flush", path_);
  if (close(std::exchange(descriptor_, -1)) != 0) fail_with_reason("close", path_);
}

void AtomicFile::commit() {
  finish();
  rename_file(temporary(path_), path_);
  committed_ = true;
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void rename_file(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) fail_with_reason("replace", to);
  flush_folder_of(to);
}

void link_file(const std::string& from, const std::string& to) {
  const std::string temporary = AtomicFile::temporary(to);
  unlink(temporary.c_str());
  if (link(from.c_str(), temporary.c_str()) != 0) {
    std::error_code problem;
    std::filesystem::copy_file(from, temporary, problem);
    if (problem) {
      unlink(temporary.c_str());
      fail(ErrorKind::checkpoint, "{}: cannot write: {}", to, problem.message());
    }
  }
  rename_file(temporary, to);
  // Where both names were links of one file already, rename does nothing and the temporary stays.
  unlink(temporary.c_str());
}

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  descriptor_ = open_descriptor(path_, O_RDONLY | O_NONBLOCK);
  if (descriptor_ < 0) fail_with_reason("read", path_);
  struct stat status = {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(ErrorKind::checkpoint, "{}: is not a regular file", path_);
  }
  size_ = status.st_size;
}

InputFile::~InputFile() {
  close(descriptor_);
}

void InputFile::read(void* data, size_t bytes, int64_t offset) const {
  char* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, next, bytes, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_reason("read", path_);
    if (count == 0) {
      fail(ErrorKind::checkpoint, "{}: ends at byte {}, {} more expected", path_, offset, bytes);
    }
    next += count;
    offset += count;
    bytes -= static_cast<size_t>(count);
  }
}

std::string read_file(const std::string& path, int64_t most) {
  const InputFile file(path);
  if (file.size() > most) {
    fail(ErrorKind::checkpoint, "{}: has {} bytes, more than the {} that are read of such a file",
         path, file.size(), most);
  }
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  file.read(bytes.data(), bytes.size(), 0);
  return bytes;
}

}  // namespace diagrad
