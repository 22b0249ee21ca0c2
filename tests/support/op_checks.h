#pragma once

#include <string>

#include "tests/support/op_case.h"

namespace diagrad::testing {

/// What the suites ask of one case. Each check returns what is wrong in one text (operation,
/// variant, dtype, output, index, expected, got), empty when nothing is, so that the checks can be
/// tried on operations that are wrong on purpose.

/// Values and shapes are those of the naive reference, within the tolerance of OpCase; a floating
/// result of nothing but zeros fails, for it proves nothing.
std::string check_reference(const OpCase& test, DType dtype);
/// Gradients agree with central differences in f64, and are not all zero. Of a case without values
/// they have the shapes of the inputs, and are zero where nothing comes out.
std::string check_gradient(const OpCase& test);
/// Gradients in f32 are those in f64 of the same numbers, within a tolerance for f32 and the length
/// of the sums behind them: what check_gradient proves of the f64 kernels holds of the f32 ones.
std::string check_f32_gradient(const OpCase& test);
/// Inputs and output gradients that are views with gaps and turned axes, or that repeat elements
/// with a stride of 0, give the values and gradients of contiguous ones.
std::string check_strided(const OpCase& test, DType dtype);
/// No output and no gradient keeps what fresh memory held (NaN), and nothing is written beside any
/// block.
std::string check_memory(const OpCase& test, DType dtype);
/// A second run gives the same bits, outputs and gradients.
std::string check_repetition(const OpCase& test, DType dtype);
/// 1, 2 and 3 threads give the same bits, outputs and gradients.
std::string check_threads(const OpCase& test, DType dtype);

}  // namespace diagrad::testing
