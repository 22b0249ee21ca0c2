// Variants of attention for tests: the forms, placements and parts of a UnitSpec that none of the
// paper's variants needs. Registered like any other, so the suites visit them.
#include "tests/support/map_variants.h"

#include <cmath>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/reduce.h"

namespace diagrad::testing {

std::vector<SeenCall>& seen_calls() {
  static std::vector<SeenCall> calls;
  return calls;
}

namespace {

using nn::Attention;
using nn::Form;
using nn::Placement;
using nn::State;
using nn::UnitSpec;

void note(const UnitSpec& unit, const State& state, const Tensor& x) {
  const auto call = static_cast<size_t>(state.call);
  seen_calls().push_back({unit.calls, unit.channels, state.call, unit.sizes.at(call),
                          unit.strides.at(call), x.size(3), Size2(x.size(1), x.size(2))});
}

/// A factor per pixel: sigmoid(slope * mean over the channels + place), `place` a number for each
/// pixel of each call, known at the model's own input size alone.
class PlaceGate : public Attention {
 public:
  PlaceGate(const UnitSpec& unit, RandomStream& random)
      : unit_(unit), slope_(add_parameter("slope", uniform({1}, 0.5, 1.5, random))) {
    for (const Size2& size : unit.sizes) {
      places_.push_back(add_parameter("place" + std::to_string(places_.size()),
                                      uniform({size.h, size.w, 1}, -1.0, 1.0, random)));
    }
  }

 protected:
  Tensor rescale(const Tensor& x, State& state) override {
    note(unit_, state, x);
    Tensor gate = mean(x, {.axes = {3}, .keep_dims = true}) * slope_;
    const Tensor& place = places_.at(static_cast<size_t>(state.call));
    if (place.size(0) == x.size(1) && place.size(1) == x.size(2)) gate = gate + place;
    return x * sigmoid(gate);
  }

 private:
  UnitSpec unit_;
  Tensor slope_;
  std::vector<Tensor> places_;
};

/// A 3x3 convolution that its sites share, with the stride of each.
class SharedConv : public Attention {
 public:
  SharedConv(const UnitSpec& unit, RandomStream& random)
      : unit_(unit),
        weight_(add_parameter(
            "weight",
            normal({unit.channels, 3, 3, unit.channels}, 0.0,
                   std::sqrt(2.0 / (9.0 * static_cast<double>(unit.channels))), random))) {}

 protected:
  Tensor rescale(const Tensor& x, State& state) override {
    note(unit_, state, x);
    return conv2d(x, weight_,
                  {.stride = unit_.strides.at(static_cast<size_t>(state.call)), .padding = 1});
  }

 private:
  UnitSpec unit_;
  Tensor weight_;
};

[[maybe_unused]] const bool registered =
    nn::register_attention(
        {.name = "test-place",
         .help = "a factor per pixel, from its place and the mean of its channels",
         .citation = "for tests",
         .form = Form::map,
         .make = [](const UnitSpec& unit,
                    RandomStream& random) { return std::make_shared<PlaceGate>(unit, random); },
         .parameters =
             [](const UnitSpec& unit) {
               int64_t count = 1;
               for (const Size2& size : unit.sizes) count += size.h * size.w;
               return count;
             }}) &&
    nn::register_attention(
        {.name = "test-conv",
         .help = "one 3x3 convolution instead of the second one of each block",
         .citation = "for tests",
         .form = Form::map,
         .placements = {Placement::replaces_conv},
         .make = [](const UnitSpec& unit,
                    RandomStream& random) { return std::make_shared<SharedConv>(unit, random); },
         .parameters = [](const UnitSpec& unit) { return 9 * unit.channels * unit.channels; }});

}  // namespace
}  // namespace diagrad::testing
