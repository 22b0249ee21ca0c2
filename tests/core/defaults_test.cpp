#include <doctest/doctest.h>

#include "diagrad/core/option.h"
#include "diagrad/core/random.h"
#include "diagrad/core/tensor.h"

namespace diagrad {
namespace {

// What a caller who says nothing gets. Other tests say what they need, so that a changed default
// shows here alone.

TEST_CASE("defaults of core: tensors are f32 on the CPU, counts i64, streams begin at 0") {
  RandomStream random(1, 2);
  CHECK(random.counter() == 0);
  for (const Tensor& tensor :
       {Tensor::empty({2}), Tensor::zeros({2}), Tensor::ones({2}), Tensor::full({2}, 3.0),
        uniform({2}, 0.0, 1.0, random), normal({2}, 0.0, 1.0, random)}) {
    CHECK(tensor.dtype() == DType::f32);
    CHECK(tensor.device() == kCpu);
  }
  CHECK(Tensor::arange(3).dtype() == DType::i64);
  CHECK(Tensor::ones({4}).strided({2}, {1}).raw_data() != nullptr);
  const Tensor four = Tensor::arange(4);
  CHECK(four.strided({2}, {1}).raw_data() == four.raw_data());
  CHECK(stream_id("purpose") == stream_id("purpose", 0, 0));
  CHECK(Device{}.type == DeviceType::cpu);
  CHECK(Device{}.index == 0);
}

TEST_CASE(
    "defaults of core: an option is a text that is no list, selections are joined by commas") {
  const Option option;
  CHECK(option.kind == Option::Kind::text);
  CHECK(option.low == 0.0);
  CHECK(option.high == 0.0);
  CHECK_FALSE(option.below_high);
  CHECK_FALSE(option.is_list);
  CHECK(parse_selection("data", "a:b=1,c=2").options.size() == 2);
}

}  // namespace
}  // namespace diagrad
