#include "diagrad/train/run/init.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/pool.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::events_of;
using testing::Recorder;
using testing::small_job;
using testing::TemporaryFolder;
using testing::text_of;

/// Two normalised convolutions and a linear layer.
class TwoConvs : public nn::Module {
 public:
  TwoConvs(int64_t channels, int64_t classes, RandomStream random)
      : conv1_(add("conv1", conv(channels, random))),
        bn1_(add("bn1", nn::BatchNorm2d({.channels = kWidth}))),
        conv2_(add("conv2", conv(kWidth, random))),
        bn2_(add("bn2", nn::BatchNorm2d({.channels = kWidth}))),
        fc_(add("fc", nn::Linear({kWidth, classes}, random))) {}

  Tensor forward(const Tensor& images) override {
    const Tensor x = bn1_->forward_relu(*conv1_, images);
    return fc_->forward(global_avg_pool(bn2_->forward_relu(*conv2_, x)));
  }

 private:
  static constexpr int64_t kWidth = 6;

  static nn::Conv2d conv(int64_t in, RandomStream& random) {
    return nn::Conv2d(
        {.in_channels = in, .out_channels = kWidth, .kernel = 3, .padding = 1, .bias = false},
        random);
  }

  std::shared_ptr<nn::Conv2d> conv1_;
  std::shared_ptr<nn::BatchNorm2d> bn1_;
  std::shared_ptr<nn::Conv2d> conv2_;
  std::shared_ptr<nn::BatchNorm2d> bn2_;
  std::shared_ptr<nn::Linear> fc_;
};

/// Its stem may be called `stem.weight` in files, and be multiplied by `factor`.
[[maybe_unused]] const bool registered = models::register_model(
    {.name = "test-two-convs",
     .help = "two convolutions, for tests of first weights",
     .head = "fc",
     .init_options = {float_option("factor", 1.0, 0.0, 10.0, "of the stem's weights")},
     .adapt =
         [](models::GivenState& given, const nn::Module& /*model*/) {
           const auto stem = given.tensors.find("stem.weight");
           if (stem == given.tensors.end()) return;
           const Tensor weight = stem->second.clone();
           for (int64_t i = 0; i < weight.numel(); ++i) {
             weight.data<float>()[i] *= static_cast<float>(given.options.get_float("factor"));
           }
           given.tensors["conv1.weight"] = weight;
           given.tensors.erase("stem.weight");
           given.notes.emplace_back("stem.weight became conv1.weight");
         },
     .make =
         [](const models::ModelSpec& spec, const OptionValues& /*options*/) {
           return std::make_shared<TwoConvs>(spec.input[2], spec.classes,
                                             RandomStream(spec.seed, stream_id("weights")));
         }});

using Change = std::function<void(TrainJob&)>;

TrainJob job_of(const std::string& out, const Change& change = {}) {
  TrainJob job = small_job(out);
  job.options.model = "test-two-convs";
  job.options.save_every = 2;
  if (change) change(job);
  job.model = make_model(job.options, job.train->info().image, job.options.classes);
  return job;
}

TrainResult run(const std::string& out, const Change& change, Recorder& recorder) {
  return train(job_of(out, change), recorder);
}

TrainResult run(const std::string& out, const Change& change = {}) {
  Recorder recorder;
  return run(out, change, recorder);
}

std::string checkpoint(const std::string& out, const char* name = "last") {
  return out + "/checkpoints/" + name + ".safetensors";
}

TensorMap part(const std::string& out, const char* name) {
  return read_checkpoint(checkpoint(out)).part(name);
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::string(static_cast<const char*>(a.raw_data()), bytes) ==
             std::string(static_cast<const char*>(b.raw_data()), bytes);
}

/// Convolution weights [O,kh,kw,I] as [O,I,kh,kw].
TensorMap torch_layout(TensorMap state) {
  for (auto& [name, tensor] : state) {
    if (tensor.rank() != 4) continue;
    const Shape s = tensor.shape();
    tensor = tensor.strided({s[0], s[3], s[1], s[2]}, {s[1] * s[2] * s[3], 1, s[2] * s[3], s[3]})
                 .contiguous();
  }
  return state;
}

void check_same(const TensorMap& a, const TensorMap& b, bool with_head = true) {
  for (const auto& named : a) {
    const std::string& name = named.first;
    CAPTURE(name);
    if (with_head || name.rfind("fc.", 0) != 0) CHECK(same_bytes(named.second, b.at(name)));
  }
}

/// A run that stops before its first step shows its first weights.
TensorMap first_weights(const std::string& out, const Change& change, const char* name = "model") {
  run(out, [&](TrainJob& job) {
    job.options.max_time = 1e-9;
    change(job);
  });
  return part(out, name);
}

Change init(const std::string& text) {
  return [=](TrainJob& job) { job.options.init = text; };
}

TEST_CASE("options of --init stand behind the last colon, unless a file has the whole name") {
  const auto is = [](const std::string& text, const std::string& file, size_t options) {
    const InitText parsed = parse_init(text);
    return parsed.file == file && parsed.options.size() == options;
  };
  CHECK(is("a.safetensors", "a.safetensors", 0));
  CHECK(is("a.safetensors:grid=8x8", "a.safetensors", 1));
  CHECK(is("C:/a:grid=8x8,mode=bicubic", "C:/a", 2));
  CHECK(is("runs/a:1", "runs/a:1", 0));
  CHECK(is("runs/a:b/c=d", "runs/a:b/c=d", 0));
  CHECK(is("runs/a:Lr=1", "runs/a:Lr=1", 0));
  CHECK(is("a:=b", "a:=b", 0));
  const TemporaryFolder folder;
  const std::string odd = folder.write("epoch:lr=1", {1});
  CHECK(is(odd, odd, 0));
  CHECK(is(odd + ":grid=8x8", odd, 1));
  CHECK(error_message([] { parse_init("a:grid=1,grid=2"); }).find("init: ") == 0);
}

TEST_CASE("a run begins with the weights of a checkpoint, a run and a plain file") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  run(first);
  const TensorMap best = read_checkpoint(checkpoint(first, "best")).part("model");
  check_same(first_weights(folder.path("a"), init(first)), best);
  check_same(first_weights(folder.path("b"), init(checkpoint(first))), part(first, "model"));

  TensorMap plain = torch_layout(part(first, "model"));
  for (auto& named : plain) named.second = named.second.to(DType::f64);
  const std::string file = folder.path("plain:2.safetensors");
  nn::write_safetensors(file, plain, {{"format", "pt"}});
  check_same(first_weights(folder.path("c"), init(file)), part(first, "model"));
}

TEST_CASE("the moving average begins there, too, and is what another run takes") {
  const TemporaryFolder folder;
  const auto averaged = [](TrainJob& job) { job.options.ema_decay = 0.9; };
  const std::string first = folder.path("first");
  run(first, averaged);
  const std::string file = checkpoint(first);
  const auto both = [&](TrainJob& job) {
    averaged(job);
    job.options.init = file;
  };
  check_same(first_weights(folder.path("a"), both), part(first, "ema"));
  check_same(part(folder.path("a"), "ema"), part(first, "ema"));
  CHECK(read_checkpoint(checkpoint(folder.path("a"))).info.init.text ==
        "12 of 12 tensors, averaged weights");
}

TEST_CASE("a head of another size is fresh; that and names that do not meet are said") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  run(first, [](TrainJob& job) { job.options.classes = 12; });
  Recorder recorder;
  const std::string out = folder.path("a");
  run(
      out,
      [&](TrainJob& job) {
        job.options.init = checkpoint(first);
        job.options.max_time = 1e-9;
      },
      recorder);
  check_same(part(out, "model"), part(first, "model"), /*with_head=*/false);
  CHECK(same_bytes(part(out, "model").at("fc.weight"),
                   job_of("").model->state_dict().at("fc.weight")));
  CHECK(recorder.messages ==
        std::vector<std::string>{"init: " + checkpoint(first) +
                                 " has a head of another size, fc keeps its fresh weights: "
                                 "fc.bias is f32 [12] there, f32 [10] here, fc.weight is f32 "
                                 "[12,6] there, f32 [10,6] here (2)"});
  CHECK(recorder.start.init.text == "10 of 12 tensors; fc is fresh");

  TensorMap odd = torch_layout(part(first, "model"));
  odd.erase("bn2.bias");
  odd["extra"] = Tensor::zeros({1});
  const std::string file = folder.path("odd.safetensors");
  nn::write_safetensors(file, odd, {});
  Recorder second;
  run(
      folder.path("b"),
      [&](TrainJob& job) {
        job.options.init = file;
        job.options.max_time = 1e-9;
      },
      second);
  REQUIRE(second.messages.size() == 3);
  CHECK(second.messages[1] ==
        "init: " + file + " lacks tensors, which keep their fresh weights: bn2.bias (1)");
  CHECK(second.messages[2] ==
        "init: " + file +
            " has tensors that the model does not have, they are left out: extra (1)");
}

TEST_CASE("a file that does not fit is refused in one line and leaves no folder") {
  const TemporaryFolder folder;
  const std::string out = folder.path("out");
  const auto complaint = [&](const std::string& text) {
    const std::string message = error_message([&] { run(out, init(text)); });
    CHECK_FALSE(fs::exists(out));
    return message;
  };
  const std::string file = folder.path("a.safetensors");
  CHECK(complaint(file).find("init: " + file + ": does not exist") == 0);
  CHECK(complaint(folder.path()).find("init: " + folder.path() + ": holds no checkpoint") == 0);
  nn::write_safetensors(file, {{"module.conv", Tensor::zeros({2})}}, {});
  CHECK(complaint(file).find("init: " + file +
                             ": none of its 1 tensors is one of the model: it "
                             "has module.conv; the model has ") == 0);
  nn::write_safetensors(file, {{"bn1.weight", Tensor::zeros({2})}}, {});
  CHECK(complaint(file) == "init: " + file +
                               ": bn1.weight is f32 [2] there, f32 [6] here; only the head (fc) "
                               "may have another size");
  nn::write_safetensors(
      file, {{"bn1.weight", Tensor::full({6}, std::numeric_limits<double>::infinity())}}, {});
  CHECK(complaint(file) == "init: " + file + ": bn1.weight holds a value that is not finite");
  CHECK(complaint(file + ":grid=2x2") ==
        "init: 'test-two-convs' has no option 'grid' (its options: factor)");
  std::ofstream(file) << "garbage";
  CHECK(complaint(file).find("init: " + file + ": ") == 0);
}

TEST_CASE("a model converts names and values with the options of --init") {
  const TemporaryFolder folder;
  TensorMap state = torch_layout(job_of("").model->state_dict());
  const Tensor stem = Tensor::full({6, 3, 3, 3}, 0.5);
  state["stem.weight"] = stem;
  state.erase("conv1.weight");
  const std::string file = folder.path("old.safetensors");
  nn::write_safetensors(file, state, {});
  const auto first = first_weights(folder.path("a"), init(file + ":factor=3"));
  CHECK(first.at("conv1.weight").data<float>()[17] == 1.5F);
}

TEST_CASE("a run that goes on has its own weights and does not read the file again") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  run(first);
  const std::string file = folder.path("a.safetensors");
  fs::copy_file(checkpoint(first), file);
  const auto averaged = [](const std::string& text, int64_t stop) -> Change {
    return [=](TrainJob& job) {
      job.options.init = text;
      job.options.ema_decay = 0.9;
      job.options.resume = "auto";
      job.options.max_steps = stop;
    };
  };
  const std::string straight = folder.path("straight");
  run(straight, averaged(file, 0));
  const std::string out = folder.path("pieces");
  run(out, averaged(file, 3));
  const auto refused = [&](const std::string& text) {
    return error_message([&] { run(out, averaged(text, 5)); });
  };
  // The same weights under another name, once while they are there to be compared.
  const std::string moved = folder.path("moved:1.safetensors");
  fs::rename(file, moved);
  Recorder recorder;
  run(out, averaged(moved, 4), recorder);
  REQUIRE(recorder.messages.size() == 1);
  CHECK(recorder.messages[0].find("resume: init=") == 0);
  CHECK(recorder.messages[0].find("with the same weights") != std::string::npos);
  CHECK(refused("").find("was made with other options: init=") != std::string::npos);
  CHECK(refused(checkpoint(straight)).find("was made with other options: init=") !=
        std::string::npos);
  CHECK(refused(file).find("init: " + file + ": does not exist") == 0);
  fs::remove(moved);
  run(out, averaged(moved, 7));
  Recorder last;
  run(out, averaged(moved, 0), last);
  CHECK(last.messages.empty());
  CHECK(last.start.init.text == "12 of 12 tensors");
  for (const char* name : {"model", "ema", "optimizer"}) {
    check_same(part(straight, name), part(out, name));
  }
  CHECK(events_of(out) == events_of(straight));
}

TEST_CASE("frozen parameters and their statistics keep their bytes, in pieces as in one") {
  const TemporaryFolder folder;
  const auto frozen = [](int64_t stop) -> Change {
    return [=](TrainJob& job) {
      job.options.freeze = {"conv1*", "bn1.*", "conv2.*"};
      job.options.no_decay = {"bn1.*"};
      job.options.ema_decay = 0.9;
      job.options.resume = "auto";
      job.options.max_steps = stop;
    };
  };
  const std::string straight = folder.path("straight");
  Recorder recorder;
  run(straight, frozen(0), recorder);
  const TensorMap before = job_of("").model->state_dict();
  for (const char* name : {"model", "ema"}) {
    for (const auto& named : part(straight, name)) {
      const std::string& key = named.first;
      CAPTURE(key);
      const bool is_frozen = key.rfind("conv", 0) == 0 || key.rfind("bn1", 0) == 0;
      CHECK(same_bytes(named.second, before.at(key)) == is_frozen);
    }
  }
  for (const auto& [key, tensor] : part(straight, "optimizer")) {
    CHECK(key.find("conv") == std::string::npos);
    CHECK(key.find("bn1") == std::string::npos);
  }
  CHECK(part(straight, "optimizer").count("momentum.bn2.weight") == 1);
  CHECK(recorder.start.frozen == 6 * 27 + 12 + 6 * 54);
  CHECK(recorder.start.parameters == recorder.start.frozen + 12 + 70);

  const std::string out = folder.path("pieces");
  for (const int64_t stop : {1, 5, 7, 0}) run(out, frozen(stop));
  CHECK(text_of(checkpoint(out)) == text_of(checkpoint(straight)));
  CHECK(events_of(out) == events_of(straight));

  const std::string other = error_message([&] {
    run(out, [&](TrainJob& job) {
      frozen(0)(job);
      job.options.freeze = {"conv1*"};
    });
  });
  CHECK(other.find("freeze=[\"conv1*\",\"bn1.*\",\"conv2.*\"] there, [\"conv1*\"] here") !=
        std::string::npos);
  run(out, [&](TrainJob& job) {
    frozen(0)(job);
    job.options.freeze = {"bn1.*", "conv2.*", "conv1*"};
  });
}

TEST_CASE("what is frozen wrongly is refused before a folder is made") {
  const TemporaryFolder folder;
  const std::string out = folder.path("out");
  const auto complaint = [&](const char* pattern) {
    return error_message([&] { run(out, [&](TrainJob& job) { job.options.freeze = {pattern}; }); });
  };
  CHECK(
      complaint("cnv1*") ==
      "freeze: 'cnv1*' fits none of the 8 parameters (use names with * and ?, or 1d), did you mean "
      "'conv1*'?");
  CHECK(complaint("*").find("freeze: all 8 parameters are frozen") == 0);
  CHECK_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace diagrad::train
