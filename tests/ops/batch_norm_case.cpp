#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/batch_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

enum class Mode { training, evaluation };

/// Inputs: x, gamma, beta and, for evaluation, running mean and variance.
std::vector<Tensor> reference(std::span<const Tensor> in, bool relu) {
  const Tensor& x = in[0];
  const int64_t channels = x.size(-1);
  const int64_t rows = channels == 0 ? 0 : x.numel() / channels;
  const Tensor y = Tensor::empty_like(x);
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0.0;
    double variance = 0.0;
    if (in.size() > 3) {
      mean = in[3].data<double>()[c];
      variance = in[4].data<double>()[c];
    } else {
      for (int64_t r = 0; r < rows; ++r) mean += x.data<double>()[r * channels + c];
      mean /= static_cast<double>(rows);
      for (int64_t r = 0; r < rows; ++r) {
        const double deviation = x.data<double>()[r * channels + c] - mean;
        variance += deviation * deviation;
      }
      variance /= static_cast<double>(rows);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const double normal =
          (x.data<double>()[r * channels + c] - mean) / std::sqrt(variance + 1e-5);
      const double value = normal * in[1].data<double>()[c] + in[2].data<double>()[c];
      y.data<double>()[r * channels + c] = relu ? std::max(value, 0.0) : value;
    }
  }
  return {y};
}

OpCase make_case(std::string variant, const Shape& shape, Mode mode, bool relu = false,
                 double offset = 0.0) {
  OpCase result;
  result.op = relu ? "batch_norm_relu" : "batch_norm";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    const Shape channels{shape.back()};
    std::vector<Tensor> inputs{random_input(random, shape, offset - 1.0, offset + 1.0),
                               random_input(random, channels, 0.5, 1.5),
                               random_input(random, channels)};
    if (mode == Mode::evaluation) {
      inputs.push_back(random_input(random, channels));
      inputs.push_back(random_input(random, channels, 0.5, 2.0));
    }
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    const BatchNormOptions options{.training = mode == Mode::training};
    const Tensor mean = in.size() > 3 ? in[3] : Tensor();
    const Tensor var = in.size() > 3 ? in[4] : Tensor();
    const auto op = relu ? batch_norm_relu : batch_norm;
    return std::vector<Tensor>{op(in[0], in[1], in[2], mean, var, options)};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, relu); };
  if (mode == Mode::evaluation) result.differentiable = {true, true, true, false, false};
  result.reduction_length = shape.numel(0, shape.rank() - 1);
  result.empty = shape.numel() == 0;
  return result;
}

/// Normalised, two rows are 1 and -1 whatever they were: gradients are what the epsilon below the
/// root leaves, 1e-4 of terms of up to gamma |dy| / deviation.
OpCase make_two_rows() {
  OpCase result = make_case("training, two rows", {2, 5}, Mode::training);
  result.gradient_terms = 10.0;
  return result;
}

const OpCaseRegistration registered{
    make_case("training, images", {4, 6, 6, 16}, Mode::training),
    make_case("training, three channels of odd images", {3, 7, 5, 3}, Mode::training),
    make_case("training, one channel", {2, 9, 11, 1}, Mode::training),
    make_case("training, rows of features", {37, 10}, Mode::training),
    make_two_rows(),
    make_case("training, tokens of many channels", {2, 5, 300}, Mode::training),
    make_case("training, more than one chunk of odd rows", {3, 61, 59, 7}, Mode::training),
    make_case("training, mean ten times the deviation", {5, 9, 9, 6}, Mode::training, false, 6.0),
    make_case("evaluation, images", {3, 5, 7, 16}, Mode::evaluation),
    make_case("evaluation, one row", {1, 33}, Mode::evaluation),
    make_case("evaluation, nothing", {0, 4, 4, 3}, Mode::evaluation),
    make_case("training, no channels", {4, 0}, Mode::training),
    make_case("training, images", {4, 6, 6, 16}, Mode::training, true),
    make_case("training, odd sizes", {3, 7, 5, 5}, Mode::training, true),
    make_case("evaluation, odd sizes", {3, 5, 7, 9}, Mode::evaluation, true),
    make_case("evaluation, nothing", {2, 0, 4, 3}, Mode::evaluation, true),
};

}  // namespace
}  // namespace diagrad::testing
