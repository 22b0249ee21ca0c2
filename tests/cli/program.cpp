#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace diagrad::testing {
namespace {

/// The two ends of what a process writes to.
struct Channel {
  int read = -1;
  int write = -1;
};

Channel open_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("test: no pipe");
  return {ends[0], ends[1]};
}

Channel open_terminal(int columns) {
  Channel channel;
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = 24;
  if (openpty(&channel.read, &channel.write, nullptr, nullptr, &size) != 0) {
    throw std::runtime_error("test: no terminal");
  }
  fcntl(channel.read, F_SETFD, FD_CLOEXEC);
  return channel;
}

[[noreturn]] void become_program(const std::vector<std::string>& arguments,
                                 const ProgramOptions& options, int out, int err) {
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
  for (const auto& entry : options.environment) {
    setenv(entry.first.c_str(), entry.second.c_str(), 1);
  }
  if (options.largest_file >= 0) {
    const auto bytes = static_cast<rlim_t>(options.largest_file);
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE}) {
    const bool is_ignored = std::count(options.ignored.begin(), options.ignored.end(), signal) > 0;
    std::signal(signal, is_ignored ? SIG_IGN : SIG_DFL);
  }
  if (options.owns_terminal) {
    setsid();
    ioctl(out, TIOCSCTTY, 0);  // NOLINT
  }
  const int nothing = open("/dev/null", O_RDONLY);  // NOLINT
  dup2(nothing, 0);
  if (!options.output_file.empty()) out = open(options.output_file.c_str(), O_WRONLY);  // NOLINT
  dup2(out, 1);
  dup2(err, 2);
  for (const int descriptor : options.closed) close(descriptor);
  std::vector<char*> words{const_cast<char*>(DIAGRAD_PROGRAM)};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words[0], words.data());
  _exit(127);
}

/// Reads both channels until the process has closed them.
void collect(int process, int out, int err, const ProgramOptions& options, ProgramResult& result) {
  std::array<pollfd, 2> watched{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    poll(watched.data(), watched.size(), -1);
    for (size_t i = 0; i < watched.size(); ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      std::array<char, 65536> bytes{};
      const ssize_t count = read(watched[i].fd, bytes.data(), bytes.size());
      if (count <= 0) {
        close(watched[i].fd);
        watched[i].fd = -1;
        continue;
      }
      (i == 0 ? result.out : result.err).append(bytes.data(), static_cast<size_t>(count));
      if (i == 0 && options.watch) options.watch(result.out, process);
      if (i == 0 && !options.leaves_at.empty() &&
          result.out.find(options.leaves_at) != std::string::npos) {
        close(watched[i].fd);
        watched[i].fd = -1;
      }
    }
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments,
                          const ProgramOptions& options) {
  Channel out =
      options.terminal_columns > 0 ? open_terminal(options.terminal_columns) : open_pipe();
  const Channel err = open_pipe();
  if (!options.has_reader) {
    close(out.read);
    out.read = -1;
  }
  const pid_t process = fork();
  if (process < 0) throw std::runtime_error("test: no process");
  if (process == 0) become_program(arguments, options, out.write, err.write);
  close(out.write);
  close(err.write);
  ProgramResult result;
  collect(process, out.read, err.read, options, result);
  int status = 0;
  waitpid(process, &status, 0);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

bool is_refusal(const ProgramResult& result, int code, const std::string& words) {
  const std::string begin = "diagrad: error: ";
  const bool good = result.code == code && lines_of(result.err).size() == 1 &&
                    result.err.rfind(begin, 0) == 0 && result.err.back() == '\n' &&
                    result.err.find("what()") == std::string::npos &&
                    result.err.find(words) != std::string::npos;
  if (!good) {
    MESSAGE("expected exit code " << code << " and '" << words << "', got " << result.code << " '"
                                  << result.err << "', output '" << result.out << "'");
  }
  return good;
}

bool refuses(const std::vector<std::string>& arguments, int code, const std::string& words,
             const ProgramOptions& options) {
  const ProgramResult result = run_program(arguments, options);
  if (!is_refusal(result, code, words)) return false;
  if (!result.out.empty()) MESSAGE("expected no output, got '" << result.out << "'");
  return result.out.empty();
}

}  // namespace diagrad::testing
