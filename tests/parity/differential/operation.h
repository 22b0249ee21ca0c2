#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diagrad/core/math_mode.h"
#include "tests/parity/differential/draw.h"

namespace diagrad::parity {

/// What the reference in PyTorch must know beside the inputs, as numbers: {"stride": {2, 1}}.
using Options = std::map<std::string, std::vector<double>>;

using Run = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

struct CaseBody {
  std::vector<Input> inputs;
  Run run;
  Options options = {};
};

/// One kind of case: draws its shapes, options and inputs.
struct Operation {
  std::string name;  ///< also of its function in reference.py
  std::function<CaseBody(Draw&)> make;
  std::vector<std::string> functions = {};  ///< public functions that it runs; empty: `name`
  MathMode math = MathMode::exact;
};

// The table in parts, one file each.
std::vector<Operation> elementwise_operations();
std::vector<Operation> shape_operations();
std::vector<Operation> reduction_operations();
std::vector<Operation> layer_operations();
std::vector<Operation> image_operations();

/// The whole table.
const std::vector<Operation>& operations();

struct Case {
  const Operation* operation = nullptr;
  int64_t number = 0;
  Values values = Values::plain;
  CaseBody body;

  std::string name() const { return operation->name + "/" + std::to_string(number); }
};

/// Case `number` of an operation: a function of (seed, name of the operation, number).
Case make_case(const Operation& operation, uint64_t seed, int64_t number);

/// Results by name: `output/0`, `gradient/2` (of input 2), `cotangent/0` (of output 0).
using Results = std::map<std::string, Tensor>;

/// Runs a case in f32 or f64, forward and backward. Results are contiguous.
Results evaluate(const Case& test, uint64_t seed, DType dtype);

/// XXH3 of the inputs, as 16 hexadecimal digits.
std::string checksum_of_inputs(const Case& test);

/// Writes cases 0 to `count` - 1 of every operation and their results in f64 and f32 to a
/// safetensors file; returns how many cases it holds. Names: `<operation>/<number>/input/0`,
/// `<operation>/<number>/f32/output/0`. Metadata `cases`: a JSON list with the operation, number,
/// kind of values, layouts, options and checksum of each.
int64_t write_cases(const std::string& path, uint64_t seed, int64_t count);

}  // namespace diagrad::parity
