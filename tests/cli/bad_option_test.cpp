#include <doctest/doctest.h>

#include <filesystem>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"

// Every mistake on the command line or in a config file: exit code 2, one line that says what came,
// what was expected and what to try, nothing on standard output and no file made.

namespace diagrad::testing {
namespace {

struct Mistake {
  Words arguments;
  std::string words;
};

void check_all(const Words& begin, const std::vector<Mistake>& mistakes, int code = 2) {
  for (const Mistake& mistake : mistakes) {
    CHECK(refuses(joined(begin, mistake.arguments), code, mistake.words));
  }
}

TEST_CASE("names that nothing has are refused with the nearest one") {
  check_all(
      {"train", "--out", "/dev/null/run"},
      {{{"--epoch", "3"}, "option --epoch is unknown, did you mean '--epochs'?"},
       {{"--zzz"}, "option --zzz is unknown (see `diagrad train --help`)"},
       {{"--model", "resnet2O"}, "--model: 'resnet2O' is unknown, did you mean 'resnet20'?"},
       {{"--model", "zzz"}, "(`diagrad models` lists all"},
       {{"--attention", "dia-lsmt"}, "--attention: 'dia-lsmt' is unknown, did you mean 'dia-"},
       {{"--attention", "dia"}, "did you mean 'dia-lstm'?"},
       {{"--attention", "dia-lstm:reductoin=4"},
        "'dia-lstm' has no option 'reductoin', did you mean 'reduction'? (its options: "},
       {{"--model-opt", "wdth=4"},
        "--model-opt: 'resnet20' has no option 'wdth', did you mean 'width'?"},
       {{"--data", "shapes:siz=16"}, "--data: 'shapes' has no option 'siz', did you mean 'si"},
       {{"--sharing", "blok"}, "--sharing: 'blok' is unknown, did you mean 'block'?"},
       {{"--schedule", "cosin"}, "did you mean 'cosine'? (use one of: constant, cosine, "},
       {{"--optimizer", "adam"}, "did you mean 'adamw'? (use one of: adamw, sgd)"},
       {{"--augment", "flop"}, "--augment: 'flop' is unknown here, did you mean 'flip'?"},
       {{"--normalization", "cifr"}, "no preset 'cifr', did you mean 'cifar'?"},
       {{"--recipe", "qick"}, "did you mean 'quick'? (`diagrad recipes` lists all"},
       {{"--task", "clasify"}, "--task: 'clasify' is unknown, did you mean 'classify'?"}});
  CHECK(refuses({"summary", "--model-opt", "wdth=4"}, 2, "--model-opt: 'resnet20' has no option"));
  CHECK(refuses({"models", "resnt20"}, 2,
                "models: none is called 'resnt20', did you mean 'resnet20"));
}

TEST_CASE("values that are not what an option takes are refused with what it takes") {
  check_all(
      {"train", "--out", "/dev/null/run"},
      {{{"--batch", "0"}, "--batch: 0 is out of range, use 1 to 1000000"},
       {{"--lr", "-1"}, "--lr: -1 must be above 0, e.g. 0.1, or 0 for the optimizer's default"},
       {{"--lr", "inf"}, "--lr: 'inf' is not a number"},
       {{"--threads", "100000"}, "--threads: 100000 is out of range, use 0 to 1024"},
       {{"--workers", "1000"}, "--workers: 1000 is out of range, use 0 to 256"},
       {{"--epochs", "x"}, "--epochs: 'x' is not an integer"},
       {{"--epochs", "1.5"}, "--epochs: '1.5' is not an integer"},
       {{"--epochs", "0"}, "--epochs: 0 is out of range, use 1 to 1000000"},
       {{"--seed", "-1"}, "--seed: -1 is out of range, use 0 to"},
       {{"--epochs"}, "--epochs: its value is missing (see `diagrad train --help`)"},
       {{"--drop-last=maybe"}, "--drop-last: 'maybe' is not true or false"},
       {{"--schedule", "multistep:milestones=1+x"},
        "--schedule: milestones=1+x of 'multistep' must be an integer from 0 to 1000000, several "
        "joined by +"},
       {{"--schedule", "multistep:milestones=60,120"},
        "--schedule: '120' in 'multistep:milestones=60,120' is not option=value; a list inside an "
        "option is joined by +, as in milestones=60+120"},
       {{"--schedule", "multistep"}, "--schedule: multistep needs milestones, e.g. multistep:mile"},
       {{"--optimizer", "sgd:beta2=0.9"},
        "--optimizer: 'sgd' has no option 'beta2' (its options: nesterov)"},
       {{"--optimizer", "adamw", "--momentum", "0.9"},
        "--momentum: optimizer adamw has none; leave --momentum out"},
       {{"--warmup", "2h"}, "--warmup: '2h' is neither epochs, such as 0.5, nor steps, such as"},
       {{"--beta2", "0.95"},
        "option --beta2 belongs to optimizer adamw, write it as --optimizer adamw:beta2=VALUE"},
       {{"--label-smoothing", "0.1"}, "write it as --task classify:label-smoothing=VALUE"},
       {{"--nesterov"}, "write it as --optimizer sgd:nesterov=VALUE"},
       {{"--attention", "dia-lstm:reduction=0"}, "must be an integer from 1 to 4096"},
       {{"--attention", "dia-lstm:reduction"}, "is not option=value, write it as dia-lstm:option="},
       {{"--model-opt", "width"}, "--model-opt: 'width' is not key=value, e.g. width=32"},
       {{"--model-opt", "width=x"}, "--model-opt: width=x of 'resnet20' must be an integer from"},
       {{"--precision", "bf16"},
        "--precision: bf16 is not trained in by this version yet, use f32"},
       {{"--precision", "f16"}, "--precision: 'f16' is unknown"},
       {{"--math", "exakt"}, "--math: 'exakt' is unknown, did you mean 'exact'? (use one of: fast"},
       {{"--task", "detect"}, "--task: detect is not in this version yet, it trains: classify"},
       {{"--task", "segment"}, "--task: segment is not in this version yet, it trains: classify"},
       {{"--device", "gpu"}, "--device: 'gpu' is unknown, use cpu, cuda or cuda:N"},
       {{"--runs", "0"}, "runs: 0 is out of range, use 1 to 10000"},
       {{"one", "two"}, "'one' is one word too many (see `diagrad train --help`)"}});
  check_all({"summary"},
            {{{"--input", "3"}, "'3' is no height x width x channels, e.g. 32x32x3"},
             {{"--input", "32x0x3"}, "0 of '32x0x3' is out of range, use 1 to 4096"},
             {{"--classes", "-1"}, "--classes: -1 is out of range, use 0 to 1000000"}});
  check_all({},
            {{{"eval"}, "eval: name a checkpoint file or a run folder"},
             {{"report"}, "report: name a run folder or the folder of several runs"},
             {{"eval", ".", "--batch", "0"}, "batch: 0 is out of range, use 1 to 1000000"},
             {{"eval", ".", "--math", "slow"}, "math: 'slow' is unknown (use one of: fast, exact)"},
             {{"eval", ".", "--threads", "-1"}, "threads: -1 is out of range, use 0 to 1024"}});
}

TEST_CASE("settings that do not fit the data are refused with the sizes") {
  const TemporaryFolder folder;
  const auto train = [&](const Words& more) { return small_train(folder.path("run"), more); };
  CHECK(refuses(train({"--augment", "pad-crop:border=100"}), 2,
                "a crop border of 100 does not fit images of 16x16, use at most 15"));
  CHECK(refuses(train({"--val-split", "24"}), 2, "--val-split: 24 images cannot be set aside, "));
  CHECK(refuses(train({"--classes", "3"}), 2, "--classes: 3 outputs are too few, shapes has 10"));
  CHECK(refuses(train({"--batch", "25", "--drop-last"}), 2,
                "a batch of 25 is never full, shapes has 24 images"));
  CHECK_FALSE(std::filesystem::exists(folder.path("run")));
}

TEST_CASE("a device that this build does not have has an exit code of its own") {
  CHECK(refuses({"train", "--device", "cuda", "--out", "/dev/null/run"}, 6,
                "--device: 'cuda' needs CUDA, which this build does not have; use --device cpu"));
  CHECK(
      refuses({"train", "--device", "cuda:1", "--out", "/dev/null/run"}, 6, "'cuda:1' needs CUDA"));
  CHECK(refuses({"eval", ".", "--device", "cuda"}, 6, "device: 'cuda' needs CUDA"));
}

TEST_CASE("mistakes in a config file are told with file and line") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& words) {
    const std::string path = folder.write("run.toml", {text.begin(), text.end()});
    return refuses({"train", "--config", path, "--out", "/dev/null/run"}, 2, path + words);
  };
  CHECK(refused("epochs = 3\nepoch = 4\n",
                ":2: epoch: there is no option of this name, did you mean 'epochs'?"));
  CHECK(refused("epochs = \"x\"\n", ":1: epochs: 'x' is not an integer"));
  CHECK(refused("\n# a note\nlr = -1\n", ":3: lr: -1 must be above 0"));
  CHECK(refused("model = \"resnt20\"\n",
                ":1: model: 'resnt20' is unknown, did you mean 'resnet20'?"));
  CHECK(
      refused("attention = \"dia-lstm:reductoin=4\"\n", ":1: attention: 'dia-lstm' has no option"));
  CHECK(refused("model-opt = [\"wdth=4\"]\n", ":1: model-opt: 'resnet20' has no option 'wdth'"));
  CHECK(refused("epochs = 3\nbatch = 0\n", ":2: batch: 0 is out of range"));
  CHECK(refused("task = \"detect\"\n", ":1: task: detect is not in this version yet"));
  CHECK(refused("[train]\nepochs = 3\n", ":1: keys are flat here"));
  CHECK(refused("model = resnet20\n", ":1: "));
  CHECK(refuses({"train", "--config", folder.path("none.toml")}, 2,
                "none.toml: cannot read: No such"));
  CHECK(refuses({"train", "--config", folder.path()}, 2, "is a folder, expected a file"));
}

TEST_CASE("a flag mends what a config file gets wrong") {
  const TemporaryFolder folder;
  const std::string text = "model = \"resnt20\"\nlr = -1\n";
  const std::string path = folder.write("run.toml", {text.begin(), text.end()});
  const ProgramResult result = run_program(
      {"train", "--config", path, "--model", "resnet20", "--lr", "1", "--print-config"});
  CHECK(result.code == 0);
  CHECK(result.out.find("\nlr = 1.0\n") != std::string::npos);
  CHECK(refuses({"train", "--config", path, "--lr", "1"}, 2, path + ":1: model: 'resnt20'"));
}

}  // namespace
}  // namespace diagrad::testing
