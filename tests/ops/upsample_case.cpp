#include "diagrad/ops/upsample.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_case(std::string variant, const Shape& shape, int64_t factor) {
  OpCase result;
  result.op = "upsample_nearest";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{upsample_nearest(in[0], factor)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    const Tensor y =
        Tensor::empty({shape[0], shape[1] * factor, shape[2] * factor, shape[3]}, DType::f64);
    double* out = y.data<double>();
    for (int64_t b = 0; b < shape[0]; ++b) {
      for (int64_t h = 0; h < shape[1] * factor; ++h) {
        for (int64_t w = 0; w < shape[2] * factor; ++w) {
          for (int64_t c = 0; c < shape[3]; ++c) {
            const int64_t pixel = (b * shape[1] + h / factor) * shape[2] + w / factor;
            *out++ = in[0].data<double>()[pixel * shape[3] + c];
          }
        }
      }
    }
    return std::vector<Tensor>{y};
  };
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("twice", {2, 3, 5, 16}, 2),    make_case("three times, odd sizes", {3, 5, 7, 3}, 3),
    make_case("once", {2, 3, 4, 5}, 1),      make_case("more than one chunk", {2, 33, 31, 17}, 2),
    make_case("no images", {0, 3, 4, 5}, 2),
};

}  // namespace
}  // namespace diagrad::testing
