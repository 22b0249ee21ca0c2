#include <doctest/doctest.h>

#include "diagrad/models/registry.h"
#include "diagrad/models/resnet.h"
#include "diagrad/models/unet.h"
#include "diagrad/models/vit.h"

namespace diagrad::models {
namespace {

// What a caller who says nothing gets. Other tests say what they need, so that a changed default
// shows here alone.

TEST_CASE("defaults of make_resnet: ResNet-20 for CIFAR-10 without attention") {
  const ResNetOptions options;
  CHECK(options.depth == 20);
  CHECK_FALSE(options.bottleneck);
  CHECK(options.width == 16);
  CHECK(options.channels == 3);
  CHECK(options.input == Size2(32));
  CHECK(options.classes == 10);
  CHECK(options.init == nn::ConvInit::fan_out_normal);
  CHECK(options.attention == "none");
  CHECK(options.sharing.empty());
  CHECK(options.seed == 0);
  int64_t parameters = 0;
  for (const nn::NamedTensor& named : make_resnet({})->named_parameters()) {
    parameters += named.tensor.numel();
  }
  CHECK(parameters == 272'474);
}

TEST_CASE("defaults of make_vit: vit-cifar for CIFAR-10 without attention and regularisation") {
  const VitOptions options;
  CHECK(options.patch == 4);
  CHECK(options.dim == 192);
  CHECK(options.depth == 9);
  CHECK(options.heads == 12);
  CHECK(options.mlp_ratio == 2.0);
  CHECK_FALSE(options.qkv_bias);
  CHECK(options.class_token);
  CHECK(options.pool == TokenPool::class_token);
  CHECK(options.positions == Positions::learned);
  CHECK(options.gelu == GeluForm::exact);
  CHECK(options.drop_path == 0.0);
  CHECK(options.layer_scale == 0.0);
  CHECK(options.patch_drop == 0.0);
  CHECK(options.dropout == 0.0);
  CHECK(options.attention_dropout == 0.0);
  CHECK(options.channels == 3);
  CHECK(options.input == Size2(32));
  CHECK(options.classes == 10);
  CHECK(options.attention == "none");
  CHECK(options.sharing.empty());
  CHECK(options.seed == 0);
}

TEST_CASE("defaults of make_unet: DDPM's net for CIFAR-10 as diffusers computes it") {
  const UnetOptions options;
  CHECK(options.base == 128);
  CHECK(options.mult == std::vector<int64_t>{1, 2, 2, 2});
  CHECK(options.blocks == 2);
  CHECK(options.groups == 0);
  CHECK(options.attn == std::vector<int64_t>{16});
  CHECK(options.heads == 1);
  CHECK(options.dropout == 0.0);
  CHECK(options.classes == 0);
  CHECK(options.epsilon == 1e-5);
  CHECK(options.down_padding == DownPadding::symmetric);
  CHECK(options.time_order == nn::TimeOrder::sin_cos);
  CHECK(options.frequency_shift == 1);
  CHECK(options.channels == 3);
  CHECK(options.input == Size2(32));
  CHECK(options.attention == "none");
  CHECK(options.sharing.empty());
  CHECK_FALSE(options.checkpoint_blocks);
  CHECK(options.seed == 0);
}

TEST_CASE("defaults of a model: 10 classes, no attention, an image in and logits out") {
  const ModelSpec spec;
  CHECK(spec.classes == 10);
  CHECK(spec.attention == "none");
  CHECK(spec.sharing.empty());
  CHECK(spec.seed == 0);
  const ModelInfo info;
  REQUIRE(info.calls.size() == 1);
  CHECK(info.calls.front() == CallForm::image);
  CHECK(info.output == Output::logits);
  CHECK(info.input.empty());
}

}  // namespace
}  // namespace diagrad::models
