#include "diagrad/nn/module.h"

#include <doctest/doctest.h>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/error.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

class Unit : public Module {
 public:
  Unit() : weight_(add_parameter("weight", Tensor::ones({2, 3}))) {
    count_ = add_buffer("count", Tensor::zeros({}, DType::i64));
    mean_ = add_buffer("mean", Tensor::zeros({3}));
  }
  Tensor weight_;
  Tensor count_;
  Tensor mean_;
};

class Pair : public Module {
 public:
  Pair() : first_(add("first", Unit())), shared_(std::make_shared<Unit>()) {
    add("shared", shared_);
    add("again", shared_);
    bias_ = add_parameter("bias", Tensor::zeros({3}));
  }
  void add_more(const std::string& name) { add(name, Unit()); }
  std::shared_ptr<Unit> first_;
  std::shared_ptr<Unit> shared_;
  Tensor bias_;
};

std::string names(const std::vector<NamedTensor>& tensors) {
  std::string text;
  for (const NamedTensor& named : tensors) text += named.name + " ";
  return text;
}

TEST_CASE("parameters and buffers are named by path, shared ones once") {
  const Pair pair;
  CHECK(names(pair.named_parameters()) == "bias first.weight shared.weight ");
  CHECK(names(pair.named_buffers()) == "first.count first.mean shared.count shared.mean ");
  CHECK(pair.state_dict().size() == 7);
  CHECK(pair.bias_.requires_grad());
  CHECK_FALSE(pair.first_->mean_.requires_grad());
  std::string visited;
  pair.visit([&](const std::string& name, const Module&) { visited += "[" + name + "]"; });
  CHECK(visited == "[][first][shared]");
}

TEST_CASE("modules are found by their path, and may get children from outside") {
  Pair pair;
  CHECK(&pair.get_submodule("") == &pair);
  CHECK(&pair.get_submodule("first") == pair.first_.get());
  const auto below = pair.get_submodule("first").add_module("below", std::make_shared<Unit>());
  CHECK(&pair.get_submodule("first.below") == below.get());
  CHECK(names(pair.named_parameters()) == "bias first.weight first.below.weight shared.weight ");
  CHECK(error_message([&] { pair.get_submodule("first.above"); }) ==
        "module: there is no 'above' at the path 'first.above'");
  CHECK(error_message([&] { pair.add_module("first", below); }) ==
        "module: the name 'first' is given twice");
}

TEST_CASE("names are given once and are no paths") {
  Pair pair;
  CHECK(error_message([&] { pair.add_more("bias"); }) == "module: the name 'bias' is given twice");
  CHECK(error_message([&] { pair.add_more("a.b"); }).find("hold a dot") != std::string::npos);
}

TEST_CASE("the mode reaches every module, and forward is not a must") {
  Pair pair;
  CHECK(pair.shared_->is_training());
  pair.eval();
  CHECK_FALSE(pair.shared_->is_training());
  CHECK(error_message([&] {
          pair.forward(Tensor::zeros({2}));
        }).find("Pair: has no forward of one tensor, got [2]") != std::string::npos);
}

TEST_CASE("messages name the class of a module as the source does") {
  CHECK(error_message([] { Module().forward(Tensor::zeros({2})); }) ==
        "module diagrad::nn::Module: has no forward of one tensor, got [2]");
  CHECK(error_message([] {
          Module().call({.image = Tensor::zeros({2}), .time = Tensor::zeros({2})});
        }) == "module diagrad::nn::Module: takes an image alone, got a time beside it");
}

TEST_CASE("conversion to another dtype is seen by every handle") {
  Pair pair;
  pair.to(DType::f64);
  CHECK(pair.first_->weight_.dtype() == DType::f64);
  CHECK(pair.first_->weight_.data<double>()[5] == 1.0);
  CHECK(pair.first_->weight_.requires_grad());
  CHECK(pair.shared_->mean_.dtype() == DType::f64);
  CHECK(pair.shared_->count_.dtype() == DType::i64);
}

TEST_CASE("a state is loaded whole, or what fits of it with a report") {
  Pair from;
  from.bias_.fill_(5.0);
  Pair into;
  into.load_state_dict(from.state_dict());
  CHECK(into.bias_.data<float>()[2] == 5.0F);

  StateDict state = from.state_dict();
  state.erase("first.weight");
  state["other"] = Tensor::zeros({1});
  state["first.mean"] = Tensor::zeros({4});
  from.bias_.fill_(6.0);
  CHECK(error_message([&] { into.load_state_dict(state); }) ==
        "load_state_dict: the state is of another model: first.mean is f32 [4] there, f32 [3] "
        "here; it lacks first.weight; it has other in excess");
  CHECK(into.bias_.data<float>()[2] == 5.0F);
  const LoadReport report = into.load_state_dict(state, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"first.weight"});
  CHECK(report.unexpected == std::vector<std::string>{"other"});
  CHECK(into.bias_.data<float>()[2] == 6.0F);
}

TEST_CASE("conversion drops gradients, keeps who learns, and is refused for whole numbers") {
  Pair pair;
  pair.bias_.set_requires_grad(false);
  backward(sum(pair.first_->weight_));
  CHECK(pair.first_->weight_.grad().defined());
  pair.to(DType::f64);
  CHECK_FALSE(pair.first_->weight_.grad().defined());
  CHECK_FALSE(pair.bias_.requires_grad());
  backward(sum(pair.first_->weight_));
  CHECK(pair.first_->weight_.grad().dtype() == DType::f64);
  CHECK(error_message([&] { pair.to(DType::i64); }) ==
        "to: parameters are floating point, got i64");
  pair.to(DType::f32);
  CHECK(pair.first_->weight_.data<float>()[5] == 1.0F);
}

TEST_CASE("a tensor that several modules hold appears once, and is converted once") {
  const auto tied = Tensor::full({2}, 0.1);
  class Holder : public Module {
   public:
    explicit Holder(const Tensor& tensor) : weight_(add_parameter("weight", tensor)) {}
    Tensor weight_;
  };
  class Tied : public Module {
   public:
    explicit Tied(const Tensor& tensor)
        : encoder_(add("encoder", Holder(tensor))), decoder_(add("decoder", Holder(tensor))) {}
    std::shared_ptr<Holder> encoder_, decoder_;
  };
  Tied both(tied);
  CHECK(names(both.named_parameters()) == "encoder.weight ");
  both.to(DType::f64);
  CHECK(both.decoder_->weight_.dtype() == DType::f64);
  CHECK(both.decoder_->weight_.data<double>()[1] == static_cast<double>(0.1F));
  both.load_state_dict({{"encoder.weight", Tensor::full({2}, 7.0, DType::f64)}});
  CHECK(both.decoder_->weight_.data<double>()[1] == 7.0);
}

std::string strict_error(Module& module, const StateDict& state) {
  return error_message([&] { module.load_state_dict(state); });
}

TEST_CASE("a strict load says what is missing, in excess, misshapen or of another dtype") {
  Pair pair;
  const StateDict fitting = Pair().state_dict();
  const std::string start = "load_state_dict: the state is of another model: ";
  CHECK(strict_error(pair, fitting).empty());
  StateDict state = fitting;
  state.erase("bias");
  CHECK(strict_error(pair, state) == start + "it lacks bias");
  state = fitting;
  state["head.weight"] = Tensor::zeros({1});
  CHECK(strict_error(pair, state) == start + "it has head.weight in excess");
  state = fitting;
  state["first.weight"] = Tensor::zeros({3, 2});
  CHECK(strict_error(pair, state) == start + "first.weight is f32 [3,2] there, f32 [2,3] here");
  state = fitting;
  state["bias"] = Tensor::zeros({3}, DType::f64);
  CHECK(strict_error(pair, state) == start + "bias is f64 [3] there, f32 [3] here");
  CHECK(strict_error(pair, {}) == start + "it lacks bias, first.count, first.mean and 4 more");
  try {
    pair.load_state_dict({});
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::checkpoint);
  }
}

TEST_CASE("loading copies values, keeps handles, and counts as a change") {
  Pair from;
  from.bias_.fill_(3.0);
  Pair into;
  const Tensor handle = into.bias_;
  const uint32_t version = handle.version();
  into.load_state_dict(from.state_dict());
  CHECK(handle.data<float>()[0] == 3.0F);
  CHECK(handle.version() > version);
  CHECK(handle.requires_grad());
  CHECK_FALSE(handle.shares_storage(from.bias_));
  from.bias_.fill_(4.0);
  CHECK(handle.data<float>()[0] == 3.0F);
}

TEST_CASE("a module can be moved into another, with all it holds") {
  Unit unit;
  const Tensor weight = unit.weight_;
  Unit moved = std::move(unit);
  CHECK(moved.named_parameters().at(0).tensor.is_same(weight));
  CHECK(moved.state_dict().size() == 3);
}

TEST_CASE("masks are functions of seed, step and order") {
  const auto draw = [](uint64_t seed, uint64_t step, int skipped) {
    const RandomScope scope(seed, step);
    for (int i = 0; i < skipped; ++i) RandomScope::next();
    return RandomScope::next().stream;
  };
  CHECK(draw(1, 2, 0) == draw(1, 2, 0));
  CHECK(draw(1, 2, 0) != draw(1, 2, 1));
  CHECK(draw(1, 2, 0) != draw(1, 3, 0));
  CHECK(error_message([] { RandomScope::next(); }).find("outside every RandomScope") !=
        std::string::npos);
}

}  // namespace
}  // namespace diagrad::nn
