#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"

// A run knows its data: a resume or an evaluation on other data is never silent.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kRecord = 3073;

/// CIFAR-10 with 24 training images in two files and 8 test images, and names.
class Cifar {
 public:
  Cifar() {
    folder_.write("cifar/data_batch_1.bin", cifar_records(16, 10));
    folder_.write("cifar/data_batch_2.bin", cifar_records(8, 10));
    folder_.write("cifar/test_batch.bin", cifar_records(8, 10));
    write_names({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  }

  std::string path(const std::string& file = "") const { return folder_.path("cifar/" + file); }
  std::string run() const { return folder_.path("run"); }
  void write(const std::string& file, const std::vector<uint8_t>& bytes) const {
    folder_.write("cifar/" + file, bytes);
  }
  void write_names(const std::vector<std::string>& names) const {
    std::string text;
    for (const std::string& name : names) text += name + "\n";
    write("batches.meta.txt", std::vector<uint8_t>(text.begin(), text.end()));
  }
  Words train(const Words& more) const {
    return small_train(run(), joined({"--data", path()}, more));
  }
  Words eval() const { return {"eval", run(), "--data", path(), "--threads", "1"}; }

 private:
  TemporaryFolder folder_;
};

/// One way in which data may be other data.
struct Change {
  const char* what;
  std::function<void(const Cifar&)> make;
  const char* words;           ///< that name it, wherever it is told
  int eval_code = 0;           ///< 0: evaluated, with a note; 3: refused
  const char* note = nullptr;  ///< another line that is said
};

const std::vector<Change>& changes() {
  static const std::vector<Change> all = {
      {"count", [](const Cifar& cifar) { cifar.write("data_batch_1.bin", cifar_records(15, 10)); },
       "training images: 24 there, 23 here"},
      {"more test images",
       [](const Cifar& cifar) { cifar.write("test_batch.bin", cifar_records(9, 10)); },
       "test images: 8 there, 9 here"},
      {"order",
       [](const Cifar& cifar) {
         std::vector<uint8_t> bytes = cifar_records(16, 10);
         std::swap_ranges(bytes.begin(), bytes.begin() + kRecord, bytes.begin() + kRecord);
         cifar.write("data_batch_1.bin", bytes);
       },
       "pixels or targets of the training images"},
      {"names in another order",
       [](const Cifar& cifar) {
         cifar.write_names({"b", "a", "c", "d", "e", "f", "g", "h", "i", "j"});
       },
       "class 0: a there, b here", 0, "the classes are matched by their names"},
      {"other names",
       [](const Cifar& cifar) {
         cifar.write_names({"a", "b", "c", "d", "e", "f", "g", "h", "i", "zebra"});
       },
       "class 9: j there, zebra here", 3},
      {"no names", [](const Cifar& cifar) { fs::remove(cifar.path("batches.meta.txt")); },
       "class 0: a there, class 0 here"},
      {"a pixel",
       [](const Cifar& cifar) {
         std::vector<uint8_t> bytes = cifar_records(8, 10);
         bytes[5 * kRecord + 100] ^= 1;
         cifar.write("test_batch.bin", bytes);
       },
       "pixels or targets of the test images"},
      {"a label",
       [](const Cifar& cifar) {
         std::vector<uint8_t> bytes = cifar_records(8, 10);
         bytes[3 * kRecord] = 9;
         cifar.write("data_batch_2.bin", bytes);
       },
       "pixels or targets of the training images"},
      {"a part missing", [](const Cifar& cifar) { fs::remove(cifar.path("data_batch_1.bin")); },
       "training images: 24 there, 8 here", 0, "has no data_batch_1.bin"}};
  return all;
}

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE("each command tells what differs between the data and those of the run") {
  for (const Change& change : changes()) {
    CAPTURE(change.what);
    const Cifar cifar;
    make_small_run(cifar.run(), {"--data", cifar.path(), "--epochs", "2", "--max-steps", "4"});
    CHECK(run_program(cifar.eval()).err.empty());
    change.make(cifar);

    const auto before = contents(cifar.run());
    for (const Words& more : {Words{}, Words{"--dry-run"}}) {
      const ProgramResult refused =
          run_program(cifar.train(joined({"--epochs", "2", "--resume", "auto"}, more)));
      CHECK(refused.code == 5);
      CHECK(contains(refused.err, std::string("last.safetensors: was trained on other data: ")));
      CHECK(contains(refused.err, change.words));
      CHECK(contains(refused.err, "--other-data"));
    }
    CHECK(contents(cifar.run()) == before);

    const ProgramResult evaluated = run_program(cifar.eval());
    CHECK(evaluated.code == change.eval_code);
    CHECK(contains(evaluated.err, change.words));
    if (change.note != nullptr) CHECK(contains(evaluated.err, change.note));

    const Words forced = {"--epochs", "2", "--resume", "auto", "--other-data"};
    const ProgramResult dry = run_program(cifar.train(joined(forced, {"--dry-run"})));
    CHECK(dry.code == 0);
    CHECK(contains(dry.err, change.words));
    const ProgramResult gone_on = run_program(cifar.train(forced));
    CHECK(gone_on.code == 0);
    CHECK(contains(gone_on.err, change.words));
    CHECK(contains(gone_on.err, "learning rate "));
    // From here on these are its data.
    CHECK(run_program(cifar.train({"--epochs", "2", "--resume", "auto"})).err.find(change.words) ==
          std::string::npos);
    const ProgramResult report = run_program({"report", cifar.run()});
    CHECK(report.code == 0);
    CHECK(contains(text_of(cifar.run() + "/report.html"), "since step 5: "));
    const json state = json::parse(text_of(cifar.run() + "/run.json"));
    REQUIRE(state.at("data_changes").size() == 1);
    CHECK(contains(state.at("data_changes")[0].at("text"), change.words));
  }
}

TEST_CASE("another set with as many classes of the same size is no set of the run") {
  const Cifar cifar;
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(
      out, {"--data", "shapes:size=32,train=24,test=16", "--epochs", "2", "--max-steps", "3"});
  CHECK(refuses(small_train(out, {"--data", cifar.path(), "--epochs", "2", "--resume", "auto"}), 5,
                "was trained on other data: shapes there, cifar10 here; class 0: "));
  CHECK(refuses({"eval", out, "--data", cifar.path()}, 3, "cifar10 has other classes than " + out));
}

TEST_CASE("data at another place are the same data") {
  const Cifar cifar;
  const TemporaryFolder folder;
  make_small_run(cifar.run(), {"--data", cifar.path(), "--epochs", "2", "--max-steps", "4"});
  fs::copy(cifar.path(), folder.path("moved"), fs::copy_options::recursive);
  const ProgramResult moved = run_program(small_train(
      cifar.run(), {"--data", folder.path("moved"), "--epochs", "2", "--resume", "auto"}));
  CHECK(moved.code == 0);
  CHECK(contains(moved.err, "note: resume: data="));
  CHECK_FALSE(contains(moved.err, "differ"));
  CHECK(run_program({"eval", cifar.run(), "--data", folder.path("moved")}).err.empty());
}

TEST_CASE("classes in another order give the same accuracy for each of them") {
  const Cifar cifar;
  make_small_run(cifar.run(), {"--data", cifar.path(), "--epochs", "1"});
  const json before = json::parse(run_program(joined(cifar.eval(), {"--json"})).out);
  // The same images; their labels and the names count from the other end.
  cifar.write_names({"j", "i", "h", "g", "f", "e", "d", "c", "b", "a"});
  for (const char* file : {"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"}) {
    const std::string text = text_of(cifar.path(file));
    std::vector<uint8_t> bytes(text.begin(), text.end());
    for (size_t at = 0; at < bytes.size(); at += kRecord) bytes[at] = 9 - bytes[at];
    cifar.write(file, bytes);
  }
  const ProgramResult mapped = run_program(joined(cifar.eval(), {"--json"}));
  CHECK(contains(mapped.err, "the classes are matched by their names"));
  const json after = json::parse(mapped.out);
  for (const char* key : {"loss", "accuracy", "per_class", "confusion", "classes"}) {
    CHECK(after.at(key) == before.at(key));
  }
}

/// The notes of a resume with `--other-data`, and the rates of the steps after it.
struct Continued {
  std::string err;
  std::vector<double> rates;
  int64_t first_step = 0;
};

Continued continue_on(const std::string& out, const Words& more) {
  const ProgramResult result =
      run_program(small_train(out, joined({"--resume", "auto", "--other-data"}, more)));
  CHECK(result.code == 0);
  Continued continued{result.err, {}, 0};
  int64_t step = 0;
  for (const std::string& line : lines_of(text_of(out + "/events.jsonl"))) {
    const json row = json::parse(line);
    CHECK(row.at("step") == ++step);  // each step once, none left out
    continued.rates.push_back(row.at("lr"));
  }
  return continued;
}

TEST_CASE("on fewer or more images the learning rate goes on where it was") {
  const TemporaryFolder folder;
  for (const char* data : {"shapes:size=16,train=8,test=16", "shapes:size=16,train=72,test=16"}) {
    CAPTURE(data);
    const std::string out = folder.path(std::string("run") + data);
    const Words eight = {"--epochs", "8", "--lr", "0.1"};
    make_small_run(out, joined(eight, {"--max-steps", "12"}));  // half of the epochs
    const Continued continued = continue_on(out, joined(eight, {"--data", data}));
    CHECK(contains(continued.err, "goes on after 4 of 8 epochs"));
    const double last = continued.rates[11];
    const double next = continued.rates[12];
    // Cosine falls by at most 1/8 of its whole height in a step of the longest kind.
    CHECK(next <= last);
    CHECK(next > last - 0.1 / 8.0 * 1.6);
    CHECK(next == doctest::Approx(0.05));  // of the middle, (1 + cos(pi / 2)) / 2
    CHECK(continued.rates.back() < 0.02);
    CHECK(continued.rates.size() == 12 + (contains(data, "=72") ? 36 : 4));
  }
}

TEST_CASE("on more images a run goes on at the same share of its epoch") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const Words epochs = {"--epochs", "4", "--schedule", "multistep:milestones=2"};
  make_small_run(out, joined(epochs, {"--max-steps", "5"}));  // two of three steps of the second
  const Continued continued =
      continue_on(out, joined(epochs, {"--data", "shapes:size=16,train=48,test=16"}));
  CHECK(contains(continued.err, "goes on after 1.667 of 4 epochs"));
  // Four of six steps are done; two at the first rate, then those of two epochs.
  REQUIRE(continued.rates.size() == 5 + 2 + 12);
  CHECK(continued.rates[6] == continued.rates[0]);
  CHECK(continued.rates[7] < continued.rates[6]);
}

TEST_CASE("more epochs say the learning rates before and after") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const Words onecycle = {"--schedule", "onecycle", "--lr", "0.1"};
  make_small_run(out, joined(onecycle, {"--epochs", "2"}));
  const ProgramResult result =
      run_program(small_train(out, joined(onecycle, {"--epochs", "6", "--resume", "auto"})));
  CHECK(result.code == 0);
  const std::string rates =
      json::parse(lines_of(text_of(out + "/events.jsonl"))[5]).at("lr").dump();
  CHECK(
      contains(result.err, "2 epochs before, 6 now; goes on after 2 of 6 epochs; learning rate "));
  CHECK(contains(result.err, " from here"));
}

TEST_CASE("fewer epochs than are done leave nothing to train") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "3"});
  const ProgramResult result = run_program(small_train(out, {"--epochs", "2", "--resume", "auto"}));
  CHECK(result.code == 0);
  CHECK(contains(result.err, "3 epochs before, 2 now; 3 are done, nothing is left to train"));
  CHECK(contains(result.out, "at step 9, beyond the 6 of 2 epochs: nothing is left to train"));
}

TEST_CASE("what changes no outcome may change on resume") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  const Words two = {"--epochs", "2"};
  make_small_run(straight, two);
  const std::vector<Words> all = {{"--eval-batch", "3"},
                                  {"--schedule", "cosine:min-lr=0"},
                                  {"--optimizer", "sgd:nesterov=false"},
                                  {"--augment", "pad-crop,flip"},
                                  {"--warmup", "0.0"},
                                  {"--task", "classify:label-smoothing=0"}};
  for (const Words& more : all) {
    CAPTURE(more[1]);
    const std::string out = folder.path("run" + more[1]);
    make_small_run(out, joined(two, {"--max-steps", "4"}));
    const ProgramResult result =
        run_program(small_train(out, joined(joined(two, {"--resume", "auto"}), more)));
    CHECK(result.code == 0);
    CHECK(result.err.empty());
  }
}

TEST_CASE("a dry run is refused where the run would be") {
  const Cifar cifar;
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "2", "--max-steps", "3"});
  const auto before = contents(folder.path());
  const auto both = [&](const Words& more, int code, const std::string& words) {
    const Words dry = {"--dry-run", "--epochs", "2"};
    CHECK(refuses(small_train(out, joined(dry, more)), code, words));
  };
  both({"--resume", "auto", "--batch", "6"}, 5, "was made with other options: batch=8 there, 6");
  both({"--resume", "auto", "--no-decay", "biaz"}, 2, "biaz");
  both({"--resume", "auto", "--data", cifar.path()}, 5, "was trained on other data");
  both({"--resume", "auto", "--model", "resnet14"}, 5, "is of another model or setting");
  CHECK(refuses(small_train(folder.path("new"), {"--dry-run", "--no-decay", "biaz"}), 2, "biaz"));
  const std::string file = folder.write("file", {1});
  CHECK(refuses(small_train(file + "/run", {"--dry-run"}), 2, "cannot be made"));
  fs::remove(file);
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("a set with a gap in its numbered files says which are missing") {
  const Cifar cifar;
  fs::rename(cifar.path("data_batch_2.bin"), cifar.path("data_batch_4.bin"));
  const ProgramResult result = run_program(cifar.train({}));
  CHECK(result.code == 0);
  CHECK(contains(result.err,
                 "has no data_batch_2.bin, data_batch_3.bin; the images of the other "
                 "files are used"));
  fs::remove(cifar.path("data_batch_4.bin"));
  const TemporaryFolder folder;
  make_small_run(folder.path("first"), {"--data", cifar.path()});
}

}  // namespace
}  // namespace diagrad::testing
