#include "diagrad/nn/freeze.h"

#include <doctest/doctest.h>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/random.h"
#include "diagrad/models/resnet.h"
#include "diagrad/nn/attention/per_call.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

std::shared_ptr<Module> small_net(const std::string& attention = "dia-lstm") {
  auto net = models::make_resnet(
      {.depth = 8, .width = 4, .input = 8, .classes = 3, .attention = attention, .seed = 3});
  net->to(DType::f64);
  return net;
}

bool starts(const std::string& name, const std::string& with) {
  return name.rfind(with, 0) == 0;
}

/// Forward and backward of one batch.
void run(Module& net) {
  RandomStream random(5, stream_id("images"));
  backward(sum(net.forward(uniform({4, 8, 8, 3}, -1.0, 1.0, random, DType::f64))));
}

TEST_CASE("frozen parameters have no gradient, the others the one they have anyhow") {
  for (const char* attention : {"none", "dia-lstm", "se"}) {
    const auto frozen = small_net(attention);
    const auto whole = small_net(attention);
    int64_t count = 0;
    for (const NamedTensor& p : frozen->named_parameters()) {
      if (starts(p.name, "layer2") || starts(p.name, "bn1")) count += p.tensor.numel();
    }
    CHECK(freeze(*frozen, {"layer2*", "bn1.*"}) == count);
    CHECK(frozen_count(*frozen) == count);
    train_unfrozen(*frozen);
    whole->train();
    whole->visit([&](const std::string& path, const Module& module) {
      if ((starts(path, "layer2") || path == "bn1") && !module.named_buffers().empty()) {
        whole->get_submodule(path).eval();
      }
    });
    const StateDict before = frozen->state_dict();
    StateDict copies;
    for (const auto& named : before) copies[named.first] = named.second.clone();
    run(*frozen);
    run(*whole);
    const auto expected = whole->named_parameters();
    const auto got = frozen->named_parameters();
    for (size_t i = 0; i < got.size(); ++i) {
      CAPTURE(got[i].name);
      const Tensor gradient = got[i].tensor.grad();
      if (!got[i].tensor.requires_grad()) {
        CHECK_FALSE(gradient.defined());
        continue;
      }
      REQUIRE(gradient.defined());
      const Tensor other = expected[i].tensor.grad();
      for (int64_t k = 0; k < gradient.numel(); ++k) {
        CHECK(gradient.data<double>()[k] ==
              doctest::Approx(other.data<double>()[k]).epsilon(1e-10));
      }
    }
    for (const NamedTensor& buffer : frozen->named_buffers()) {
      CAPTURE(buffer.name);
      bool is_same = true;
      for (int64_t k = 0; k < buffer.tensor.numel(); ++k) {
        is_same =
            is_same && buffer.tensor.data<double>()[k] == copies.at(buffer.name).data<double>()[k];
      }
      CHECK(is_same == (starts(buffer.name, "layer2") || starts(buffer.name, "bn1")));
    }
  }
}

TEST_CASE("normalisation trains where one of its parameters does, and by each of its calls") {
  const auto net = small_net();
  freeze(*net, {"layer1.0.bn1.weight", "layer1.0.bn2.*"});
  net->eval();
  train_unfrozen(*net);
  CHECK(net->get_submodule("layer1.0.bn1").is_training());
  CHECK_FALSE(net->get_submodule("layer1.0.bn2").is_training());
  CHECK(net->get_submodule("layer1.0").is_training());

  PerCall<BatchNorm2d> norms(BatchNormSpec{.channels = 2}, 3, NormSharing::affine);
  Module owner;
  owner.add_module("norms", std::make_shared<PerCall<BatchNorm2d>>(std::move(norms)));
  owner.add_module("other", std::make_shared<BatchNorm2d>(BatchNormSpec{.channels = 2}));
  CHECK(freeze(owner, {"norms*"}) == 4);
  train_unfrozen(owner);
  int in_evaluation = 0;
  owner.visit([&](const std::string&, const Module& module) {
    in_evaluation += module.is_training() ? 0 : 1;
  });
  CHECK(in_evaluation == 3);
  CHECK(owner.get_submodule("other").is_training());
}

TEST_CASE("patterns that fit nothing or everything are refused before any change") {
  const auto net = small_net("none");
  const auto complaint = [&](const std::vector<std::string>& patterns) {
    const std::string message = error_message([&] { freeze(*net, patterns); });
    CHECK(frozen_count(*net) == 0);
    return message;
  };
  const std::string count = std::to_string(net->named_parameters().size());
  CHECK(complaint({"conv1.*", "layr1*"}) == "freeze: 'layr1*' fits none of the " + count +
                                                " parameters (use names with * and ?, or 1d), "
                                                "did you mean 'layer1*'?");
  CHECK(complaint({"fc.wieght"}).find("did you mean 'fc.weight'?") != std::string::npos);
  CHECK(complaint({"layer1"}).find("did you mean 'layer1*'?") != std::string::npos);
  CHECK(complaint({""}).find("fits none") != std::string::npos);
  CHECK(complaint({"*"}).find("freeze: all " + count + " parameters are frozen") == 0);
  CHECK(complaint({"[a-z]*"}).find("fits none") != std::string::npos);
  CHECK(freeze(*net, {}) == 0);
  CHECK(freeze(*net, {"1d"}) > 0);
  CHECK_FALSE(net->state_dict().at("bn1.weight").requires_grad());
  CHECK_FALSE(net->state_dict().at("fc.bias").requires_grad());
  CHECK(net->state_dict().at("fc.weight").requires_grad());
}

}  // namespace
}  // namespace diagrad::nn
