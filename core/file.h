#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace diagrad {

/// A file that appears whole or not at all: bytes go to a temporary file beside it, which is
/// flushed to the disk and renamed by commit(). A reader sees the old contents or the new ones at
/// every moment, also after a crash or a power failure. Everything throws Error(checkpoint) with
/// the path and the system's reason (disk full, read-only, ...); the old file is then untouched.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  /// Removes the temporary file when there was no commit.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Flushes to the disk; nothing can be written after it.
  void finish();
  void commit();

  /// What the temporary file of `path` is called; one left behind by a killed process may be
  /// removed.
  static std::string temporary(const std::string& path) { return path + ".tmp"; }

 private:
  std::string path_;
  int descriptor_ = -1;
  bool committed_ = false;
};

void write_file(const std::string& path, std::string_view text);

/// open(), closed on exec, with a descriptor above 2: in a process whose standard streams are
/// closed the lowest free descriptor is one of theirs, and what is printed would go into the file.
/// -1 with errno where it fails.
int open_descriptor(const std::string& path, int flags, unsigned mode = 0666);

/// Renames and flushes the folder, so that the new name survives a power failure. Throws
/// Error(checkpoint).
void rename_file(const std::string& from, const std::string& to);
/// Gives the file `from` the second name `to` (a hard link; a copy where the file system has
/// none), replacing what was there in one moment. Throws Error(checkpoint).
void link_file(const std::string& from, const std::string& to);

/// A regular file open for reading at any place. Throws Error(checkpoint).
class InputFile {
 public:
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  /// Throws when the file ends before.
  void read(void* data, size_t bytes, int64_t offset) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// What a regular file of at most `most` bytes holds. Throws Error(checkpoint).
std::string read_file(const std::string& path, int64_t most);

}  // namespace diagrad
