#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/core/tensor.h"

namespace diagrad::testing {

/// One operation on one kind of input: the single description from which every op suite is made
/// (reference comparison in f64 and f32, f64 gradient check, f32 gradients against those, strided
/// inputs, poisoned outputs and guard bytes, bit-equal repetition, independence from the thread
/// count, micro-benchmark). No case has NaN in its results.
struct OpCase {
  std::string op;       ///< the name the operation records, e.g. "conv2d"
  std::string variant;  ///< what this case stresses, e.g. "3x3 stride 2, odd sizes"
  /// Fresh contiguous f64 (or integer) inputs; floats are cast for the f32 suites. Values stay away
  /// from kinks (|x| > 0.05 for relu and abs) so that differences are meaningful.
  std::function<std::vector<Tensor>(RandomStream&)> inputs;
  /// The operation under test.
  std::function<std::vector<Tensor>(std::span<const Tensor>)> run;
  /// A naive reference in double precision: plain loops over contiguous f64 inputs that share no
  /// code with the operation.
  std::function<std::vector<Tensor>(std::span<const Tensor>)> reference;
  /// Which inputs take part in the gradient check; empty: every f64 input.
  std::vector<bool> differentiable = {};
  bool has_gradient = true;  ///< false for argmax and the like
  /// Length of the longest sum behind one output: tolerance = epsilon(dtype) * 8 * (4 + sqrt(n)),
  /// relative to the largest |reference| of the output.
  int64_t reduction_length = 1;
  /// Where the terms of a gradient cancel, the largest of them: f32 gradients are compared relative
  /// to it if no gradient is larger.
  double gradient_terms = 0.0;
  /// The result is a view of, or is, an input (reshape, expand): no fresh output to poison.
  bool is_view = false;
  /// Sizes of zero: gradients and results may be all zero, and nothing is benchmarked.
  bool empty = false;
};

/// All registered cases, in order of op and variant.
const std::vector<OpCase>& op_cases();

/// `const OpCaseRegistration registered{ {...case...} };` at namespace scope of a *_case.cpp file.
struct OpCaseRegistration {
  OpCaseRegistration(std::initializer_list<OpCase> cases);
};

/// Inputs: f64, uniform in [low, high).
Tensor random_input(RandomStream& random, const Shape& shape, double low = -1.0, double high = 1.0);
/// As random_input, but every |x| is at least `gap`.
Tensor random_away_from_zero(RandomStream& random, const Shape& shape, double gap = 0.05);
/// i64 labels in [0, classes).
Tensor random_labels(RandomStream& random, const Shape& shape, int64_t classes);

/// The whole text of the Error that `action` throws; empty when it throws none.
std::string error_message(const std::function<void()>& action);

}  // namespace diagrad::testing
