#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/losses.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// log softmax of one row, the textbook way after subtracting the largest.
std::vector<double> log_probabilities(const double* logits, int64_t classes) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0.0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(logits[k] - largest);
  std::vector<double> result;
  for (int64_t k = 0; k < classes; ++k) result.push_back(logits[k] - largest - std::log(sum));
  return result;
}

OpCase make_case(std::string variant, int64_t batch, int64_t classes, double smoothing,
                 double range = 3.0) {
  OpCase result;
  result.op = "cross_entropy";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {batch, classes}, -range, range),
                               random_labels(random, {batch}, classes)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{cross_entropy(in[0], in[1], {.label_smoothing = smoothing})};
  };
  result.reference = [=](std::span<const Tensor> in) {
    double loss = 0.0;
    for (int64_t b = 0; b < batch; ++b) {
      const auto log_p = log_probabilities(in[0].data<double>() + b * classes, classes);
      for (int64_t k = 0; k < classes; ++k) {
        const double own = in[1].data<int64_t>()[b] == k ? 1.0 : 0.0;
        const double q = (1.0 - smoothing) * own + smoothing / static_cast<double>(classes);
        loss -= q * log_p[static_cast<size_t>(k)];
      }
    }
    return std::vector<Tensor>{Tensor::full({}, loss / static_cast<double>(batch), DType::f64)};
  };
  result.reduction_length = batch * classes;
  return result;
}

OpCase make_soft_case(std::string variant, int64_t batch, int64_t classes) {
  OpCase result;
  result.op = "cross_entropy_soft";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {batch, classes}, -3.0, 3.0),
                               random_input(random, {batch, classes}, 0.1, 0.9)};
  };
  result.run = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{cross_entropy_soft(in[0], in[1])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    double loss = 0.0;
    for (int64_t b = 0; b < batch; ++b) {
      const auto log_p = log_probabilities(in[0].data<double>() + b * classes, classes);
      for (int64_t k = 0; k < classes; ++k) {
        loss -= in[1].data<double>()[b * classes + k] * log_p[static_cast<size_t>(k)];
      }
    }
    return std::vector<Tensor>{Tensor::full({}, loss / static_cast<double>(batch), DType::f64)};
  };
  result.reduction_length = batch * classes;
  return result;
}

const OpCaseRegistration registered{
    make_case("ten classes", 7, 10, 0.0),
    make_case("label smoothing", 7, 10, 0.1),
    make_case("smoothing of 1: the labels do not count", 3, 5, 1.0),
    make_case("one image, two classes", 1, 2, 0.0),
    make_case("a hundred classes, more work than one thread takes", 65, 100, 0.1),
    make_case("confident logits", 5, 10, 0.0, 200.0),
    make_soft_case("rows that do not sum up to 1", 5, 7),
    make_soft_case("two classes", 1, 2),
};

}  // namespace
}  // namespace diagrad::testing
