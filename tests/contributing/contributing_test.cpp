// The code of CONTRIBUTING.md is in this program, extracted by contributing.cmake: it has compiled.
// Here, that it is found; the suites of nn, models and ops visit it like everything else.
#include <doctest/doctest.h>

#include <algorithm>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/ops/cube.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("the variant that CONTRIBUTING.md adds is listed, and can be asked for") {
  const auto& variants = nn::attention_variants();
  CHECK(std::any_of(variants.begin(), variants.end(), [](const nn::AttentionInfo& info) {
    return info.name == "my-gate" && info.placements.size() == 4;
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

}  // namespace
}  // namespace diagrad
