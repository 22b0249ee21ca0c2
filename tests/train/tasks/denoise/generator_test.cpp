#include "diagrad/train/tasks/denoise/generator.h"

#include <doctest/doctest.h>

#include <set>

#include "diagrad/core/threads.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/tasks/task.h"
#include "tests/support/op_case.h"
#include "tests/support/unet_nets.h"

namespace diagrad::train {
namespace {

using testing::error_message;

using Pairs = std::vector<std::pair<std::string, std::string>>;

GeneratorOptions options_of(const Pairs& given) {
  Pairs all = {{"steps", "3"}};
  for (const auto& pair : given) {
    if (pair.first == "steps") all.clear();
  }
  all.insert(all.end(), given.begin(), given.end());
  return {.image = {8, 8, 3},
          .normalization = "half",
          .seed = 5,
          .values = OptionValues("sample", {"denoise", all}, denoise_generator_options())};
}

Diffusion diffusion(double label_dropout = 0.1) {
  return {.schedule = NoiseSchedule::cosine(100), .label_dropout = label_dropout};
}

std::shared_ptr<nn::Module> net_of(int64_t classes) {
  models::UnetOptions options = testing::small_unet_options();
  options.classes = classes;
  auto net = models::make_unet(options);
  testing::fill_zero_parameters(*net, 3);
  net->eval();
  return net;
}

std::vector<uint8_t> in_parts(Generator& generator, int64_t count, int64_t part) {
  std::vector<uint8_t> all;
  for (int64_t first = 0; first < count; first += part) {
    const auto some = generator.generate(first, std::min(part, count - first));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

TEST_CASE("an image depends neither on the others that are wanted nor on the threads") {
  const auto net = net_of(4);
  for (const Pairs& given : {Pairs{}, Pairs{{"sampler", "ddpm"}, {"guidance", "3"}},
                             Pairs{{"sampler", "dpm-solver++"}, {"spacing", "leading"}}}) {
    const GeneratorOptions options = options_of(given);
    const std::vector<uint8_t> whole = DenoiseGenerator(*net, diffusion(), options).generate(0, 20);
    CHECK(whole.size() == 20 * 8 * 8 * 3);
    CHECK(std::set<uint8_t>(whole.begin(), whole.end()).size() > 30);
    for (const int64_t part : {1, 3, 7, 19}) {
      CAPTURE(part);
      const int before = num_threads();
      set_num_threads(static_cast<int>(part % 3) + 1);
      DenoiseGenerator generator(*net, diffusion(), options);
      CHECK(in_parts(generator, 20, part) == whole);
      set_num_threads(before);
    }
    const auto late = DenoiseGenerator(*net, diffusion(), options).generate(18, 2);
    CHECK(late == std::vector<uint8_t>(whole.begin() + 18 * 8 * 8 * 3, whole.end()));
  }
}

/// Gives its input, and keeps how many images it was called with.
class Counting : public nn::Module {
 public:
  Tensor call(const nn::Inputs& inputs) override {
    batches.insert(inputs.image.size(0));
    ++calls;
    return inputs.image;
  }

  std::set<int64_t> batches;
  int64_t calls = 0;
};

TEST_CASE("a net is called with whole groups, each once") {
  Counting net;
  DenoiseGenerator generator(net, diffusion(), options_of({{"steps", "2"}}));
  in_parts(generator, 20, 1);
  CHECK(net.batches == std::set<int64_t>{DenoiseGenerator::kGroup});
  CHECK(net.calls == 2 * 2);
}

TEST_CASE("images differ by seed, sampler, steps, spacing, guidance and class") {
  const auto net = net_of(4);
  const auto images = [&](const Pairs& given) {
    return DenoiseGenerator(*net, diffusion(), options_of(given)).generate(0, 4);
  };
  std::set<std::vector<uint8_t>> all;
  const std::vector<Pairs> given = {{},
                                    {{"steps", "4"}},
                                    {{"sampler", "ddpm"}},
                                    {{"spacing", "leading"}},
                                    {{"guidance", "4"}},
                                    {{"guidance", "0"}},
                                    {{"class", "3"}}};
  for (const Pairs& pairs : given) all.insert(images(pairs));
  GeneratorOptions other = options_of({});
  other.seed = 6;
  all.insert(DenoiseGenerator(*net, diffusion(), other).generate(0, 4));
  CHECK(all.size() == given.size() + 1);
  CHECK(images({{"class", "0+1+2+3"}}) == images({}));
}

TEST_CASE("classes are taken in turn") {
  const auto net = net_of(4);
  const auto labels = [&](const Pairs& given) {
    const DenoiseGenerator generator(*net, diffusion(), options_of(given));
    std::vector<int64_t> all;
    for (int64_t i = 0; i < 6; ++i) all.push_back(*generator.label(i));
    return all;
  };
  CHECK(labels({}) == std::vector<int64_t>{0, 1, 2, 3, 0, 1});
  CHECK(labels({{"class", "2"}}) == std::vector<int64_t>(6, 2));
  CHECK(labels({{"class", "3+1"}}) == std::vector<int64_t>{3, 1, 3, 1, 3, 1});
  CHECK_FALSE(DenoiseGenerator(*net_of(0), diffusion(), options_of({})).label(0).has_value());
}

TEST_CASE("what a net cannot serve is refused before any image") {
  const auto refusal = [&](int64_t classes, double dropout, const Pairs& given) {
    return error_message(
        [&] { DenoiseGenerator(*net_of(classes), diffusion(dropout), options_of(given)); });
  };
  CHECK(refusal(4, 0.1, {{"steps", "101"}}) ==
        "steps: 101 steps of sampling, the schedule has 100; use 1 to 100");
  CHECK(refusal(4, 0.1, {{"class", "4"}}) == "denoise: class 4, but the net has classes 0 to 3");
  CHECK(refusal(0, 0.1, {{"class", "1"}}) == "class: 1 is asked for, but the net takes no class");
  for (const int64_t classes : {0, 4}) {
    CHECK(refusal(classes, 0.0, {{"guidance", "2"}}) ==
          "guidance: 2 needs a net that was trained with a null class; use 1");
  }
  CHECK(refusal(4, 0.1, {{"sampler", "dim"}}).starts_with("sampler: 'dim' is unknown"));
  CHECK(refusal(4, 0.1, {{"guidance", "2"}}).empty());
}

TEST_CASE("a task that makes no images has no generator, one that does has options") {
  for (const TaskInfo& task : tasks()) {
    CAPTURE(task.name);
    CHECK(task.can_generate == !task.generator_options.empty());
  }
  Counting net;
  CHECK(make_task("classify")->generator(net, {}) == nullptr);
}

}  // namespace
}  // namespace diagrad::train
