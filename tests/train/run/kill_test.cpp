#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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

/// With everything on that a checkpoint must keep: statistics of batch norm, dropout masks
/// (between the two cells), mixed batches, momentum, moving average, accumulated gradients.
constexpr const char* kConvolutions =
    "--model resnet8 --model-opt width=4 --attention dia-lstm:cells=2 "
    "--optimizer sgd:nesterov=true --schedule onecycle "
    "--freeze layer1.0.bn*,layer2.0.conv1*";
/// And with every random layer of a transformer, whose blocks are computed again in backward.
constexpr const char* kTransformer =
    "--model vit --model-opt patch=4,dim=16,depth=3,heads=2,drop-path=0.4,patch-drop=0.25,"
    "dropout=0.1,attention-dropout=0.1 --attention dia-lstm:at=both --checkpoint-blocks "
    "--optimizer adamw --schedule cosine --augment random-erasing";

std::vector<std::string> command(const std::string& net, const std::string& out, int threads,
                                 int workers) {
  const std::string text = fmt::format(
      "{} train {} --data shapes:size=16,train=200,test=100 --batch 8 --accumulate 2 --epochs 4 "
      "--save-every 3 --keep-every 2 --lr 0.01 --clip-grad-norm 5 "
      "--task classify:label-smoothing=0.1 --ema-decay 0.99 --mixup 0.8 --cutmix 1 "
      "--resume auto --quiet --threads {} --workers {} --out {}",
      DIAGRAD_PROGRAM, net, threads, workers, out);
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// The program, training.
class Training {
 public:
  Training(const std::string& net, const std::string& out, int threads, int workers) {
    std::vector<std::string> words = command(net, out, threads, workers);
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

/// What was done to the runs.
struct Kills {
  int all = 0;
  int before_first_save = 0;  ///< the run then starts afresh
  int during_save = 0;
  int damaged = 0;  ///< `last` was damaged besides, as a power cut might
};

/// Lets a process run until one of three moments: its logs are there but no checkpoint yet (only a
/// run that is new has that), a random one, or while it writes a checkpoint for a random time; then
/// kills it. A moment that has not been hit yet comes first. False when it ended before.
bool kill_at_random(Training& process, const std::string& last, double seconds,
                    RandomStream& random, Kills& kills) {
  const std::string events = fs::path(last).parent_path().parent_path() / "events.jsonl";
  const bool is_new = !fs::exists(last);
  int64_t kind = random.below(is_new ? 3 : 2);
  if (is_new && kills.before_first_save == 0) {
    kind = 2;
  } else if (kills.during_save == 0) {
    kind = 1;
  }
  const int64_t saves = random.below(4);
  const auto deadline =
      Clock::now() + std::chrono::duration<double>(kind == 0 ? random.uniform(0.0, seconds) : 60.0);
  int64_t seen = 0;
  bool writing = false;
  while (Clock::now() < deadline) {
    if (process.ended()) return false;
    if (kind == 2 && fs::exists(events)) break;
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

/// The first time and then one time in four: cuts the last checkpoint somewhere, or turns a bit of
/// it, where there is one before it.
void damage_at_random(const std::string& last, RandomStream& random, Kills& kills) {
  const fs::path before = fs::path(last).parent_path() / "last.prev.safetensors";
  const bool by_chance = random.below(4) == 0;
  if (!by_chance && kills.damaged > 0) return;
  if (!fs::exists(last) || !fs::exists(before)) return;
  const auto place = random.below(static_cast<int64_t>(fs::file_size(last)));
  if (random.below(2) == 0) {
    fs::resize_file(last, static_cast<uintmax_t>(place));
  } else {
    std::fstream file(last, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(place);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(place);
    file.put(byte);
  }
  ++kills.damaged;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t place = text.find(part); place != std::string::npos;
       place = text.find(part, place + 1)) {
    ++found;
  }
  return found;
}

/// Every tensor, optimizer state, moving average and counter is in these files.
void check_same_run(const std::string& out, const std::string& straight) {
  for (const char* name : {"last", "best", "epoch-0002", "epoch-0004"}) {
    const std::string file = fmt::format("/checkpoints/{}.safetensors", name);
    const std::string expected = text_of(straight + file);
    REQUIRE_FALSE(expected.empty());
    CHECK(text_of(out + file) == expected);
  }
  CHECK(events_of(out) == events_of(straight));
  CHECK(fs::exists(out + "/result.json"));
}

/// Kills runs of a net at least `wanted` times, or as often as DIAGRAD_KILLS says.
void check_killed_runs(const std::string& net, int wanted) {
  const char* wish = std::getenv("DIAGRAD_KILLS");
  if (wish != nullptr) wanted = std::atoi(wish);
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  const auto begin = Clock::now();
  REQUIRE(Training(net, straight, 1, 0).wait() == 0);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  RandomStream random(11, stream_id("kill test"));
  Kills kills;
  int runs = 0;
  int fallbacks = 0;
  constexpr std::array<int, 3> kThreads = {1, 2, 3};
  constexpr std::array<int, 3> kWorkers = {0, 1, 4};
  for (; kills.all < wanted || runs < 3; ++runs) {
    // All nine pairs come up; three runs have each number once.
    const size_t pair = static_cast<size_t>(runs) * 4 % 9;
    const std::string out = folder.path("run" + std::to_string(runs));
    const std::string last = out + "/checkpoints/last.safetensors";
    CAPTURE(out);
    for (bool done = false; !done;) {
      Training process(net, out, kThreads[pair / 3], kWorkers[pair % 3]);
      if (kill_at_random(process, last, seconds, random, kills)) {
        damage_at_random(last, random, kills);
        continue;
      }
      done = true;
      CAPTURE(text_of(out + ".log"));
      REQUIRE(process.wait() == 0);
    }
    check_same_run(out, straight);
    fallbacks += count(text_of(out + ".log"), "; continuing with the one before it");
  }
  MESSAGE(runs << " runs, " << kills.all << " kills: " << kills.before_first_save
               << " before the first save, " << kills.during_save << " during one, "
               << kills.damaged << " with damage to the last checkpoint; " << fallbacks
               << " starts from the one before it");
  CHECK(kills.during_save > 0);
  CHECK(kills.before_first_save > 0);
  CHECK(kills.damaged > 0);
  CHECK(fallbacks > 0);
}

TEST_CASE("a run killed at random moments ends with the bits of one that was not") {
  check_killed_runs(kConvolutions, 20);
}

TEST_CASE("a killed run of a transformer, its blocks computed again, ends with the same bits") {
  check_killed_runs(kTransformer, 10);
}

}  // namespace
}  // namespace diagrad::testing
