// The code of CONTRIBUTING.md is in this program, extracted by contributing.cmake: it has compiled.
// Here, that it is found; the suites of nn, models and ops visit it like everything else.
#include <doctest/doctest.h>

#include <algorithm>

#include "diagrad/data/augmentation.h"
#include "diagrad/data/loader.h"
#include "diagrad/data/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/ops/cube.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("the variant that CONTRIBUTING.md adds is listed, and can be asked for") {
  const auto& variants = nn::attention_variants();
  CHECK(std::any_of(variants.begin(), variants.end(), [](const nn::AttentionInfo& info) {
    return info.name == "my-gate" && info.placements.size() == 7;
  }));
  CHECK(nn::AttentionFactory("my-gate:at=after_conv2", "stage").parameters({.channels = 8}) == 72);
}

TEST_CASE(
    "the operation that CONTRIBUTING.md adds works, and its case is among those of the suites") {
  const Tensor x = Tensor::full({3}, 2.0);
  CHECK(cube(x).data<float>()[2] == 8.0F);
  CHECK(testing::error_message([] { cube(Tensor::zeros({3}, DType::i64)); }) ==
        "cube: needs an f32 or f64 tensor, got i64");
  const auto& cases = testing::op_cases();
  CHECK(std::any_of(cases.begin(), cases.end(),
                    [](const testing::OpCase& test) { return test.op == "cube"; }));
}

TEST_CASE("the data set and the augmentation that CONTRIBUTING.md adds make batches together") {
  const data::DatasetSplits ramps = data::open_dataset("ramps:train=40");
  CHECK(ramps.train->size() == 40);
  CHECK(ramps.validation->size() == 20);
  data::Loader loader(ramps.train,
                      {.batch = 40, .augmentations = data::parse_augmentations({"turn"})});
  data::Batch batch;
  loader.start(0);
  CHECK(loader.next(batch));
  CHECK(batch.images.shape() == Shape{40, 8, 8, 1});
  CHECK(batch.target("slope").values.shape() == Shape{40});
  // Which corners are dark tells the turn: the left side, the bottom, the right side, the top.
  int64_t turns[4] = {};
  for (int64_t b = 0; b < 40; ++b) {
    const float* image = batch.images.data<float>() + b * 64;
    const bool left = image[0] == -1.0F && image[56] == -1.0F;
    const bool bottom = image[56] == -1.0F && image[63] == -1.0F;
    const bool right = image[7] == -1.0F && image[63] == -1.0F;
    ++turns[left ? 0 : bottom ? 1 : right ? 2 : 3];
    CHECK((left || bottom || right || (image[0] == -1.0F && image[7] == -1.0F)));
  }
  for (const int64_t count : turns) CHECK(count > 2);
}

}  // namespace
}  // namespace diagrad
