#include "diagrad/ops/reduce.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// The shapes of one reduction; `axes` counted from the start, sorted.
struct Layout {
  Shape shape;
  std::vector<int> axes;
  bool keep_dims = false;

  bool reduces(int axis) const { return std::find(axes.begin(), axes.end(), axis) != axes.end(); }
  /// The place in the result of an index into x.
  Index target(const Index& index) const {
    Index result;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (!reduces(axis)) result.push_back(index[static_cast<size_t>(axis)]);
      if (reduces(axis) && keep_dims) result.push_back(0);
    }
    return result;
  }
  Shape result() const {
    Shape left;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (!reduces(axis)) left.push_back(shape[axis]);
      if (reduces(axis) && keep_dims) left.push_back(1);
    }
    return left;
  }
  int64_t count() const {
    int64_t count = 1;
    for (const int axis : axes) count *= shape[axis];
    return count;
  }
};

/// For each element of the result, f(the values it is made of, in row-major order).
Tensor reduced(const Tensor& x, const Layout& layout,
               const std::function<double(const std::vector<double>&)>& f) {
  return tensor_of(layout.result(), [&](const Index& place) {
    std::vector<double> values;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const Index index = index_at(layout.shape, i);
      if (layout.target(index) == place) values.push_back(value_at(x, index));
    }
    return f(values);
  });
}

double sum_formula(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum;
}

double mean_formula(const std::vector<double>& values) {
  return sum_formula(values) / static_cast<double>(values.size());
}

/// As half the mean squared difference over all pairs, which needs no mean.
double var_formula(const std::vector<double>& values, bool unbiased) {
  double pairs = 0.0;
  for (const double a : values) {
    for (const double b : values) pairs += (a - b) * (a - b);
  }
  const auto n = static_cast<double>(values.size());
  return 0.5 * pairs / n / (unbiased ? n - 1.0 : n);
}

double max_formula(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

double argmax_formula(const std::vector<double>& values) {
  return static_cast<double>(std::max_element(values.begin(), values.end()) - values.begin());
}

OpCase base_case(std::string op, std::string variant, const Layout& layout) {
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  // Not around 0: a sum that cancels has no relative accuracy. Long sums of smaller values: the
  // differences of the gradient check drown in the last place of a large one.
  const double size = layout.count() > 10000 ? 0.1 : 1.0;
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, layout.shape, -0.5 * size, 1.5 * size)};
  };
  result.reduction_length = layout.count();
  result.empty = layout.shape.numel() == 0;
  return result;
}

using Reduce = Tensor (*)(const Tensor&, const ReduceOptions&);

/// `written`: the axes as the caller names them; those of `layout` where it is empty.
OpCase make_case(const char* op, std::string variant, const Layout& layout,
                 std::vector<int> written = {}, bool all_by_default = false) {
  OpCase result = base_case(op, std::move(variant), layout);
  const bool is_sum = result.op == "sum";
  const Reduce run = is_sum ? sum : result.op == "mean" ? mean : max;
  const auto formula = is_sum ? sum_formula : result.op == "mean" ? mean_formula : max_formula;
  if (written.empty() && !all_by_default) written = layout.axes;
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0], {.axes = written, .keep_dims = layout.keep_dims})};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{reduced(in[0], layout, formula)};
  };
  return result;
}

OpCase make_var(std::string variant, const Layout& layout, bool unbiased) {
  OpCase result = base_case("var", std::move(variant), layout);
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{
        var(in[0], {.axes = layout.axes, .keep_dims = layout.keep_dims, .unbiased = unbiased})};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{reduced(in[0], layout, [=](const std::vector<double>& values) {
      return var_formula(values, unbiased);
    })};
  };
  return result;
}

OpCase make_argmax(std::string variant, const Shape& shape, int axis) {
  const Layout layout{shape, {axis < 0 ? axis + shape.rank() : axis}};
  OpCase result = base_case("argmax", std::move(variant), layout);
  result.run = [=](std::span<const Tensor> in) { return std::vector<Tensor>{argmax(in[0], axis)}; };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{reduced(in[0], layout, argmax_formula).to(DType::i64)};
  };
  result.has_gradient = false;
  return result;
}

const OpCaseRegistration registered{
    make_case("sum", "all axes", {{3, 5, 7}, {0, 1, 2}}, {}, true),
    make_case("sum", "all axes, kept", {{3, 5, 7}, {0, 1, 2}, true}, {}, true),
    make_case("sum", "last axis", {{5, 13}, {1}}),
    make_case("sum", "last axis of many rows", {{37, 11}, {1}}, {-1}),
    make_case("sum", "first axis", {{13, 5}, {0}}),
    make_case("sum", "first axis, kept", {{13, 5}, {0}, true}),
    make_case("sum", "middle axis", {{3, 7, 5}, {1}}, {-2}),
    make_case("sum", "middle axis of many blocks", {{19, 3, 5}, {1}}),
    make_case("sum", "axes that are not neighbours", {{3, 2, 5, 4}, {0, 2}}),
    make_case("sum", "axes in any order", {{2, 3, 4, 5}, {0, 2, 3}}, {3, 0, -2}),
    make_case("sum", "axes of size 1", {{3, 1, 5, 1}, {1, 3}, true}),
    make_case("sum", "five axes", {{2, 3, 1, 4, 3}, {1, 4}}),
    make_case("sum", "a scalar", {{}, {}}, {}, true),
    make_case("sum", "long rows in several chunks", {{2, 40009}, {1}}),
    make_case("sum", "no values to 0", {{0, 3}, {0}}),
    make_case("sum", "no values, kept ones", {{0, 3}, {1}}),
    make_case("mean", "all axes", {{3, 5, 7}, {0, 1, 2}}, {}, true),
    make_case("mean", "last axis", {{5, 13}, {1}}),
    make_case("mean", "positions of images", {{2, 5, 7, 3}, {1, 2}}),
    make_case("mean", "axes that are not neighbours, kept", {{3, 2, 5, 4}, {0, 2}, true}),
    make_case("mean", "an axis of size 1", {{4, 1}, {1}}),
    make_case("mean", "a scalar", {{}, {}}, {}, true),
    make_case("mean", "no results", {{0, 3}, {1}}),
    make_case("max", "all axes", {{3, 5, 4}, {0, 1, 2}}, {}, true),
    make_case("max", "last axis", {{5, 13}, {1}}),
    make_case("max", "first axis, kept", {{13, 5}, {0}, true}),
    make_case("max", "axes that are not neighbours", {{3, 2, 5, 4}, {0, 2}}),
    make_case("max", "axes in any order", {{2, 3, 4, 5}, {1, 3}}, {-1, 1}),
    make_case("max", "an axis of size 1", {{4, 1, 3}, {1}}),
    make_case("max", "no results", {{0, 3}, {1}}),
    make_var("all axes", {{3, 5, 7}, {0, 1, 2}}, true),
    make_var("last axis, divided by n", {{5, 13}, {1}}, false),
    make_var("positions of images, kept", {{2, 5, 7, 3}, {1, 2}, true}, true),
    make_var("axes that are not neighbours", {{3, 2, 5, 4}, {0, 2}}, false),
    make_var("two values", {{4, 2}, {1}}, true),
    make_var("no results", {{0, 3}, {1}}, true),
    make_argmax("last axis", {5, 13}, -1),
    make_argmax("first axis", {13, 5}, 0),
    make_argmax("middle axis", {3, 7, 5}, 1),
    make_argmax("an axis of size 1", {3, 1}, 1),
    make_argmax("no results", {0, 3}, 1),
};

}  // namespace
}  // namespace diagrad::testing
