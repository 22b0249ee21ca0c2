#include "diagrad/ops/channel_scale.h"

#include <algorithm>
#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

enum class Kind { plain, add, add_relu };

std::vector<Tensor> reference(std::span<const Tensor> in, Kind kind) {
  const Tensor& x = in[0];
  const int64_t images = x.size(0);
  const int64_t channels = x.size(-1);
  const int64_t positions = x.shape().numel(1, x.rank() - 1);
  const Tensor y = Tensor::empty_like(x);
  for (int64_t b = 0; b < images; ++b) {
    for (int64_t p = 0; p < positions; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t i = (b * positions + p) * channels + c;
        double value = x.data<double>()[i] * in[1].data<double>()[b * channels + c];
        if (kind != Kind::plain) value += in[2].data<double>()[i];
        y.data<double>()[i] = kind == Kind::add_relu ? std::max(value, 0.0) : value;
      }
    }
  }
  return {y};
}

OpCase make_case(Kind kind, std::string variant, const Shape& shape) {
  OpCase result;
  result.op = kind == Kind::plain ? "channel_scale"
              : kind == Kind::add ? "channel_scale_add"
                                  : "channel_scale_add_relu";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, shape),
                               random_input(random, {shape[0], shape.back()})};
    if (kind != Kind::plain) inputs.push_back(random_input(random, shape));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    if (kind == Kind::plain) return std::vector<Tensor>{channel_scale(in[0], in[1])};
    const auto op = kind == Kind::add ? channel_scale_add : channel_scale_add_relu;
    return std::vector<Tensor>{op(in[0], in[1], in[2])};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, kind); };
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case(Kind::plain, "images", {3, 5, 6, 16}),
    make_case(Kind::plain, "odd images of three channels", {2, 7, 5, 3}),
    make_case(Kind::plain, "tokens of many channels", {2, 4, 200}),
    make_case(Kind::plain, "one position", {5, 9}),
    make_case(Kind::plain, "images in several parts", {2, 113, 97, 13}),
    make_case(Kind::plain, "no images", {0, 4, 4, 8}),
    make_case(Kind::plain, "no positions", {2, 0, 8}),
    make_case(Kind::plain, "no channels", {2, 3, 0}),
    make_case(Kind::add, "images", {3, 5, 6, 16}),
    make_case(Kind::add, "odd images of five channels", {2, 7, 3, 5}),
    make_case(Kind::add, "no images", {0, 4, 4, 8}),
    make_case(Kind::add_relu, "images", {3, 5, 6, 16}),
    make_case(Kind::add_relu, "odd images of five channels", {2, 7, 3, 5}),
    make_case(Kind::add_relu, "images of many channels", {2, 3, 3, 130}),
    make_case(Kind::add_relu, "no images", {0, 4, 4, 8}),
};

}  // namespace
}  // namespace diagrad::testing
