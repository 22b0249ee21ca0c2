#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/models/resnet.h"
#include "diagrad/models/vit.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/losses.h"
#include "tests/support/op_case.h"

// Models whose blocks are activation checkpoints.

namespace diagrad::models {
namespace {

/// Everything that two training passes change or give, by name.
using Found = std::vector<std::pair<std::string, Tensor>>;

Found train(nn::Module& model) {
  RandomStream random(3, stream_id("images"));
  const Tensor images = normal({6, 16, 16, 3}, 0.0, 1.0, random);
  const Tensor labels = Tensor::from<int64_t>({0, 1, 2, 3, 4, 5}, {6});
  Found found;
  for (uint64_t step = 0; step < 2; ++step) {  // gradients add up
    const nn::RandomScope scope(7, step);
    const Tensor loss = cross_entropy(model.forward(images), labels);
    found.emplace_back("loss", loss.detach());
    backward(loss);
  }
  for (const auto& parameter : model.named_parameters()) {
    found.emplace_back("gradient of " + parameter.name, parameter.tensor.grad());
  }
  for (const auto& named : model.state_dict()) found.emplace_back(named.first, named.second);
  return found;
}

void check_same_bits(const Found& plain, const Found& checkpointed) {
  REQUIRE(plain.size() == checkpointed.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(plain[i].first);
    const Tensor& a = plain[i].second;
    const Tensor& b = checkpointed[i].second;
    REQUIRE((a.defined() && b.defined()));
    const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
    CHECK(std::memcmp(a.raw_data(), b.raw_data(), bytes) == 0);
  }
}

TEST_CASE("checkpoints of blocks change no bit: losses, gradients, statistics, dropout") {
  for (const bool bottleneck : {false, true}) {
    for (const char* attention : {"none", "se", "dia-lstm:cells=2,dropout=0.3",
                                  "dia-lstm:at=before_conv", "dia-lstm:at=in_norm"}) {
      for (const char* sharing : {"block", "stage", "network"}) {
        CAPTURE(bottleneck);
        CAPTURE(attention);
        CAPTURE(sharing);
        ResNetOptions options{.depth = bottleneck ? 20 : 14,
                              .bottleneck = bottleneck,
                              .width = 4,
                              .input = 16,
                              .attention = attention,
                              .sharing = sharing,
                              .seed = 2};
        const Found plain = train(*make_resnet(options));
        options.checkpoint_blocks = true;
        check_same_bits(plain, train(*make_resnet(options)));
      }
    }
  }
}

TEST_CASE("checkpoints of a transformer's blocks change no bit, with every random layer") {
  for (const char* attention :
       {"none", "se:at=both", "dia-lstm:at=both,cells=2,dropout=0.3", "dia-lstm:at=attn"}) {
    for (const char* sharing : {"block", "network"}) {
      CAPTURE(attention);
      CAPTURE(sharing);
      VitOptions options{.dim = 16,
                         .depth = 3,
                         .heads = 2,
                         .drop_path = 0.4,
                         .layer_scale = 0.1,
                         .patch_drop = 0.25,
                         .dropout = 0.2,
                         .attention_dropout = 0.2,
                         .input = 16,
                         .attention = attention,
                         .sharing = sharing,
                         .seed = 2};
      const Found plain = train(*make_vit(options));
      options.checkpoint_blocks = true;
      check_same_bits(plain, train(*make_vit(options)));
    }
  }
}

TEST_CASE("checkpoints of blocks lower the peak of a training step") {
  const auto peak = [](bool checkpoint_blocks) {
    const auto model = make_resnet(
        {.depth = 56, .width = 8, .attention = "dia-lstm", .checkpoint_blocks = checkpoint_blocks});
    const Tensor images = Tensor::ones({16, 32, 32, 3});
    const nn::RandomScope scope(1, 1);
    CpuAllocator& allocator = CpuAllocator::instance();
    allocator.reset_peak();
    const int64_t before = allocator.stats().current_bytes;
    backward(cross_entropy(model->forward(images), Tensor::zeros({16}, DType::i64)));
    return allocator.stats().peak_bytes - before;
  };
  const int64_t plain = peak(false);
  const int64_t checkpointed = peak(true);
  MESSAGE("peak of a step of resnet56: " << plain << " bytes, with checkpoints " << checkpointed);
  CHECK(checkpointed < plain / 2);
}

/// Counts the calls that it sees.
class CountingTap : public nn::CallTap {
 public:
  int calls = 0;
  Tensor on_leave(const nn::UnitCall& /*call*/, const Tensor& output) override {
    ++calls;
    return output;
  }
};

TEST_CASE("a tap sees each call once, and evaluation makes no checkpoint") {
  const auto model =
      make_resnet({.depth = 8, .width = 4, .attention = "dia-lstm", .checkpoint_blocks = true});
  const Tensor images = Tensor::ones({2, 16, 16, 3});
  CountingTap tap;
  {
    const nn::CallTapScope scope(tap);
    const nn::RandomScope random(1, 1);
    backward(cross_entropy(model->forward(images), Tensor::zeros({2}, DType::i64)));
  }
  CHECK(tap.calls == 3);
  model->eval();
  const NoGrad no_grad;
  CHECK_FALSE(model->forward(images).requires_grad());
}

}  // namespace
}  // namespace diagrad::models
