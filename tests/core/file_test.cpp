#include "diagrad/core/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "diagrad/core/error.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::TemporaryFolder;
using testing::text_of;

TEST_CASE("a file is read whole up to a size, and only where it is one") {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", {'a', 0, 'b'});
  CHECK(read_file(path, 3) == std::string("a\0b", 3));
  const auto complaint = [](const std::string& name, int64_t most) {
    return error_message([&] { read_file(name, most); });
  };
  CHECK(complaint(path, 2) == path + ": has 3 bytes, more than the 2 that are read of such a file");
  CHECK(complaint(folder.path("none"), 2) ==
        folder.path("none") + ": cannot read: No such file or directory");
  CHECK(complaint(folder.path(), 2) == folder.path() + ": is not a regular file");
  CHECK(complaint("/dev/zero", 2) == "/dev/zero: is not a regular file");
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  CHECK(complaint(folder.path("pipe"), 2) == folder.path("pipe") + ": is not a regular file");
}

TEST_CASE("a file never takes the place of a standard stream that is closed") {
  const TemporaryFolder folder;
  const int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  REQUIRE(input > 2);
  close(STDIN_FILENO);
  const int descriptor = open_descriptor(folder.path("new"), O_WRONLY | O_CREAT);
  const bool is_free = fcntl(STDIN_FILENO, F_GETFD) < 0;
  write_file(folder.path("whole"), "text");
  const std::string whole = read_file(folder.path("whole"), 100);
  dup2(input, STDIN_FILENO);
  close(input);
  CHECK(descriptor > 2);
  CHECK((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  close(descriptor);
  CHECK(is_free);
  CHECK(whole == "text");
  CHECK(open_descriptor(folder.path("none/x"), O_WRONLY | O_CREAT) < 0);
}

TEST_CASE("writing goes neither through a link nor into a pipe that lies in its way") {
  const TemporaryFolder folder;
  const std::string other = folder.write("other", {'o'});
  const std::string path = folder.path("a");
  fs::create_symlink(other, AtomicFile::temporary(path));
  write_file(path, "first");
  REQUIRE(mkfifo(AtomicFile::temporary(path).c_str(), 0600) == 0);
  write_file(path, "second");
  CHECK(text_of(path) == "second");
  CHECK(text_of(other) == "o");
  CHECK(fs::is_regular_file(fs::symlink_status(path)));
}

}  // namespace
}  // namespace diagrad
