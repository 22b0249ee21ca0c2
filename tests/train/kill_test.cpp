#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "diagrad/core/random.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A run of the program with everything on that a checkpoint must keep: statistics of batch norm,
/// dropout masks (between the two cells), momentum, moving average, accumulated gradients.
std::vector<std::string> command(const std::string& out, int threads, int workers) {
  const char* model = std::getenv("DIAGRAD_KILL_MODEL");
  const std::string text = fmt::format(
      "{} train --model {} --model-opt width=4 --attention dia-lstm:cells=2 "
      "--data shapes:size=16,train=200,test=100 --batch 8 --accumulate 2 --epochs 4 --save-every 3 "
      "--keep-every 2 --lr 0.01 --nesterov --schedule onecycle --clip-grad-norm 5 "
      "--label-smoothing 0.1 --ema-decay 0.99 --resume auto --quiet --threads {} --workers {} "
      "--out {}",
      DIAGRAD_PROGRAM, model != nullptr ? model : "resnet8", threads, workers, out);
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// The program, training.
class Training {
 public:
  Training(const std::string& out, int threads, int workers) {
    std::vector<std::string> words = command(out, threads, workers);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = out + ".log";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int problem =
        posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(problem == 0);
  }
  ~Training() {
    if (!ended_) kill_it();
  }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  /// Whether it has ended by itself; its exit code is then known.
  bool ended() {
    if (!ended_ && waitpid(process_, &status_, WNOHANG) == process_) ended_ = true;
    return ended_;
  }
  int wait() {
    if (!ended_) waitpid(process_, &status_, 0);
    ended_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }
  void kill_it() {
    ::kill(process_, SIGKILL);
    wait();
  }

 private:
  pid_t process_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

struct Kills {
  int all = 0;
  int before_first_save = 0;
  int during_save = 0;
};

/// Lets a process run until one of three moments: its logs are there but no checkpoint yet (only a
/// run that is new has that), a random one, or while it writes a checkpoint for a random time; then
/// kills it. False when it ended before.
bool kill_at_random(Training& process, const std::string& out, double seconds, RandomStream& random,
                    Kills& kills) {
  const std::string last = out + "/checkpoints/last.safetensors";
  const int64_t kind = random.below(fs::exists(last) ? 2 : 3);
  const int64_t saves = random.below(4);
  const auto deadline =
      Clock::now() + std::chrono::duration<double>(kind == 0 ? random.uniform(0.0, seconds) : 60.0);
  int64_t seen = 0;
  bool writing = false;
  while (Clock::now() < deadline) {
    if (process.ended()) return false;
    if (kind == 2 && fs::exists(out + "/events.jsonl")) break;
    const bool writes_now = fs::exists(last + ".tmp");
    if (kind == 1 && writes_now && !writing && seen++ == saves) break;
    writing = writes_now;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  process.kill_it();
  ++kills.all;
  kills.before_first_save += fs::exists(last) ? 0 : 1;
  kills.during_save += fs::exists(last + ".tmp") ? 1 : 0;
  return true;
}

// DIAGRAD_KILLS says how many kills at least, DIAGRAD_KILL_MODEL of which model.
TEST_CASE("a run killed at random moments ends with the bits of one that was not") {
  const char* wish = std::getenv("DIAGRAD_KILLS");
  const int wanted = wish != nullptr ? std::atoi(wish) : 20;
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  const auto begin = Clock::now();
  REQUIRE(Training(straight, 1, 0).wait() == 0);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::string expected = text_of(straight + "/checkpoints/last.safetensors");
  REQUIRE_FALSE(expected.empty());

  RandomStream random(11, stream_id("kill test"));
  Kills kills;
  const std::pair<int, int> settings[] = {{1, 0}, {2, 1}, {3, 4}};
  for (int run = 0; kills.all < wanted; ++run) {
    const auto [threads, workers] = settings[run % 3];
    const std::string out = folder.path("run" + std::to_string(run));
    CAPTURE(out);
    for (bool done = false; !done;) {
      Training process(out, threads, workers);
      if (kill_at_random(process, out, seconds, random, kills)) continue;
      done = true;
      CAPTURE(text_of(out + ".log"));
      REQUIRE(process.wait() == 0);
    }
    CHECK(text_of(out + "/checkpoints/last.safetensors") == expected);
    CHECK(text_of(out + "/checkpoints/best.safetensors") ==
          text_of(straight + "/checkpoints/best.safetensors"));
    CHECK(events_of(out) == events_of(straight));
    CHECK(fs::exists(out + "/result.json"));
  }
  MESSAGE(kills.all << " kills, " << kills.before_first_save << " before the first save, "
                    << kills.during_save << " during one");
  CHECK(kills.during_save > 0);
  CHECK(kills.before_first_save > 0);
}

}  // namespace
}  // namespace diagrad::testing
