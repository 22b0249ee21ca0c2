#include "diagrad/ops/unary.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <utility>

#include "diagrad/ops/binary.h"
#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

using Function = std::function<Tensor(const Tensor&)>;
using Formula = std::function<double(double)>;

struct Range {
  double low = -2.0;
  double high = 2.0;
  std::vector<double> kinks = {};
};

OpCase make_case(std::string op, std::string variant, const Shape& shape, const Range& range,
                 Function run, Formula formula) {
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    const Tensor x = random_input(random, shape, range.low, range.high);
    for (const double kink : range.kinks) away_from(x, {kink}, 0.05);
    return std::vector<Tensor>{x};
  };
  result.run = [run = std::move(run)](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0])};
  };
  result.reference = [formula = std::move(formula)](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(
        in[0].shape(), [&](const Index& index) { return formula(value_at(in[0], index)); })};
  };
  result.empty = shape.numel() == 0;
  return result;
}

Formula power_of(double exponent) {
  return [exponent](double x) { return std::exp(exponent * std::log(x)); };
}

const Range kPositive{.low = 0.2, .high = 3.0};

const OpCaseRegistration registered{
    make_case("neg", "odd sizes", {3, 5, 7}, {}, neg, [](double x) { return 0.0 - x; }),
    make_case(
        "neg", "operator", {2, 9}, {}, [](const Tensor& x) { return -x; },
        [](double x) { return 0.0 - x; }),
    make_case("neg", "no values", {3, 0, 7}, {}, neg, [](double x) { return 0.0 - x; }),
    make_case("exp", "odd sizes", {3, 5, 7}, {}, exp,
              [](double x) { return std::pow(std::numbers::e, x); }),
    make_case("exp", "a scalar", {}, {}, exp,
              [](double x) { return std::pow(std::numbers::e, x); }),
    make_case("exp", "more than one chunk", {3, 11, 1003}, {}, exp,
              [](double x) { return std::pow(std::numbers::e, x); }),
    make_case("exp", "no values", {0}, {}, exp, [](double x) { return x; }),
    make_case("log", "odd sizes", {5, 1, 13}, kPositive, log,
              [](double x) { return std::log2(x) * std::numbers::ln2; }),
    make_case("log", "no values", {0, 2}, kPositive, log, [](double x) { return x; }),
    make_case("sqrt", "five axes", {2, 1, 3, 2, 5}, kPositive, sqrt, power_of(0.5)),
    make_case("sqrt", "no values", {2, 0}, kPositive, sqrt, [](double x) { return x; }),
    make_case("abs", "both signs", {7, 9}, {.kinks = {0.0}}, abs,
              [](double x) { return x < 0.0 ? 0.0 - x : x; }),
    make_case("abs", "no values", {0}, {}, abs, [](double x) { return x; }),
    make_case(
        "pow", "squares of both signs", {4, 11}, {}, [](const Tensor& x) { return pow(x, 2.0); },
        [](double x) { return x * x; }),
    make_case(
        "pow", "cubes of both signs", {4, 11}, {.kinks = {0.0}},
        [](const Tensor& x) { return pow(x, 3.0); }, [](double x) { return x * x * x; }),
    make_case(
        "pow", "exponent 0.5", {3, 7}, kPositive, [](const Tensor& x) { return pow(x, 0.5); },
        power_of(0.5)),
    make_case(
        "pow", "exponent -1.5", {3, 7}, kPositive, [](const Tensor& x) { return pow(x, -1.5); },
        power_of(-1.5)),
    make_case(
        "pow", "exponent 1", {3, 7}, {}, [](const Tensor& x) { return pow(x, 1.0); },
        [](double x) { return x; }),
    make_case(
        "pow", "no values", {0}, {}, [](const Tensor& x) { return pow(x, 2.0); },
        [](double x) { return x; }),
    make_case(
        "clamp", "both bounds", {7, 9}, {.kinks = {-0.75, 1.25}},
        [](const Tensor& x) { return clamp(x, -0.75, 1.25); },
        [](double x) { return std::fmin(std::fmax(x, -0.75), 1.25); }),
    make_case(
        "clamp", "nothing to cut", {5, 3}, {}, [](const Tensor& x) { return clamp(x, -9.0, 9.0); },
        [](double x) { return x; }),
    make_case(
        "clamp", "no values", {0}, {}, [](const Tensor& x) { return clamp(x, 0.0, 1.0); },
        [](double x) { return x; }),
    make_case(
        "affine", "scale and shift", {3, 1, 5}, {},
        [](const Tensor& x) { return affine(x, -1.5, 0.25); },
        [](double x) { return 0.25 - 1.5 * x; }),
    make_case(
        "affine", "x + 3", {4, 7}, {}, [](const Tensor& x) { return x + 3.0; },
        [](double x) { return 3.0 + x; }),
    make_case(
        "affine", "3 + x", {4, 7}, {}, [](const Tensor& x) { return 3.0 + x; },
        [](double x) { return 3.0 + x; }),
    make_case(
        "affine", "x - 3", {4, 7}, {}, [](const Tensor& x) { return x - 3.0; },
        [](double x) { return x - 3.0; }),
    make_case(
        "affine", "3 - x", {4, 7}, {}, [](const Tensor& x) { return 3.0 - x; },
        [](double x) { return 3.0 - x; }),
    make_case(
        "affine", "x * 3", {4, 7}, {}, [](const Tensor& x) { return x * 3.0; },
        [](double x) { return x + x + x; }),
    make_case(
        "affine", "3 * x, a scalar", {}, {}, [](const Tensor& x) { return 3.0 * x; },
        [](double x) { return x + x + x; }),
    make_case(
        "div", "x / 3", {4, 7}, {}, [](const Tensor& x) { return x / 3.0; },
        [](double x) { return x / 3.0; }),
    make_case(
        "affine", "no values", {4, 0}, {}, [](const Tensor& x) { return x + 1.0; },
        [](double x) { return x; }),
};

}  // namespace
}  // namespace diagrad::testing
