// The layers of transformers.
#include "diagrad/nn/encoder_block.h"
#include "diagrad/nn/patch_dropout.h"
#include "diagrad/nn/patch_embed.h"
#include "tests/nn/module_case.h"

namespace diagrad::testing {
namespace {

constexpr const char* kWrongTokens =
    "MultiheadAttention: input [2,5,6] is not [B,T,D] with the width 4 of the layer";

const ModuleCaseRegistration attention{
    {.module = "MultiheadAttention",
     .variant = "joint projection, two heads",
     .make = making<nn::MultiheadAttention>(nn::MultiheadAttentionSpec{.width = 4, .heads = 2}),
     .input = values({2, 5, 4}),
     .state = "qkv.weight [12,4] qkv.bias [12] proj.weight [4,4] proj.bias [4]",
     .wrong_input = {2, 5, 6},
     .error = kWrongTokens},
    {.module = "MultiheadAttention",
     .variant = "separate projections without bias, dropout in both places",
     .make = making<nn::MultiheadAttention>(
         nn::MultiheadAttentionSpec{.width = 4,
                                    .heads = 1,
                                    .projection = nn::QkvProjection::separate,
                                    .qkv_bias = false,
                                    .attention_dropout = 0.3,
                                    .dropout = 0.3}),
     .input = values({3, 5, 4}),
     .state = "q_proj.weight [4,4] k_proj.weight [4,4] v_proj.weight [4,4] proj.weight [4,4] "
              "proj.bias [4]",
     .has_modes = true,
     .wrong_input = {2, 5, 6},
     .error = kWrongTokens},
    {.module = "MultiheadAttention",
     .variant = "of other tokens",
     .make = making<nn::MultiheadAttention>(nn::MultiheadAttentionSpec{
         .width = 4, .heads = 2, .projection = nn::QkvProjection::separate, .qkv_bias = false}),
     .input = values({2, 3, 4}),
     .state = "q_proj.weight [4,4] k_proj.weight [4,4] v_proj.weight [4,4] proj.weight [4,4] "
              "proj.bias [4]",
     .wrong_input = {3, 3, 4},
     .error = "MultiheadAttention: [3,3,4] attends to [2,7,4]; their batches differ",
     .run =
         [](nn::Module& module, const Tensor& x) {
           RandomStream random(5, stream_id("source"));
           return dynamic_cast<nn::MultiheadAttention&>(module).attend(
               x, uniform({2, 7, 4}, -1.0, 1.0, random, x.dtype()));
         }},
};

const ModuleCaseRegistration parts{
    {.module = "Mlp",
     .variant = "exact",
     .make = making<nn::Mlp>(nn::MlpSpec{.features = 3, .hidden = 5}),
     .input = values({2, 4, 3}),
     .state = "fc1.weight [5,3] fc1.bias [5] fc2.weight [3,5] fc2.bias [3]",
     .wrong_input = {2, 3, 4},
     .error = "input has 4 features but weight expects 3"},
    {.module = "Mlp",
     .variant = "tanh, dropout",
     .make = making<nn::Mlp>(
         nn::MlpSpec{.features = 3, .hidden = 5, .gelu = GeluForm::tanh, .dropout = 0.3}),
     .input = values({6, 3}),
     .state = "fc1.weight [5,3] fc1.bias [5] fc2.weight [3,5] fc2.bias [3]",
     .has_modes = true,
     .wrong_input = {2, 4},
     .error = "input has 4 features but weight expects 3"},
    {.module = "LayerScale",
     .variant = "tokens",
     .make = making<nn::LayerScale>(nn::LayerScaleSpec{.features = 3, .value = 0.1}),
     .input = values({2, 4, 3}),
     .state = "gamma [3]",
     .wrong_input = {2, 3, 4},
     .error = "LayerScale: input [2,3,4] does not end in the 3 features of the layer"},
    {.module = "PatchEmbed",
     .variant = "square patches",
     .make = making<nn::PatchEmbed>(nn::PatchEmbedSpec{.patch = 2, .channels = 3, .width = 4}),
     .input = values({2, 4, 6, 3}),
     .state = "proj.weight [4,2,2,3] proj.bias [4]",
     .wrong_input = {2, 5, 6, 3},
     .error = "PatchEmbed: images of 5x6 pixels are not divisible into patches of 2x2"},
    {.module = "PatchEmbed",
     .variant = "oblong patches, one channel",
     .make = making<nn::PatchEmbed>(nn::PatchEmbedSpec{.patch = {2, 3}, .channels = 1, .width = 4}),
     .input = values({2, 4, 6, 1}),
     .state = "proj.weight [4,2,3,1] proj.bias [4]",
     .wrong_input = {2, 4, 6, 3},
     .error = "PatchEmbed: input [2,4,6,3] is not [B,H,W,C] with the 1 channels of the layer"},
    {.module = "PatchDropout",
     .variant = "half, behind a class token",
     .make = making<nn::PatchDropout>(nn::PatchDropoutSpec{.p = 0.5, .prefix_tokens = 1}),
     .input = values({3, 7, 2}),
     .has_modes = true,
     .wrong_input = {3, 1, 2},
     .error = "PatchDropout: input [3,1,2] is not [B,T,D] with patches behind 1 tokens"},
    {.module = "PatchDropout",
     .variant = "never",
     .make = making<nn::PatchDropout>(nn::PatchDropoutSpec{.p = 0.0}),
     .input = values({2, 3, 2})},
};

const ModuleCaseRegistration block{
    {.module = "EncoderBlock",
     .variant = "plain",
     .make = making<nn::EncoderBlock>(nn::EncoderBlockSpec{.width = 4, .heads = 2, .hidden = 6}),
     .input = values({2, 5, 4}),
     .state = "norm1.weight [4] norm1.bias [4] attn.qkv.weight [12,4] attn.qkv.bias [12] "
              "attn.proj.weight [4,4] attn.proj.bias [4] norm2.weight [4] norm2.bias [4] "
              "mlp.fc1.weight [6,4] mlp.fc1.bias [6] mlp.fc2.weight [4,6] mlp.fc2.bias [4]",
     .wrong_input = {2, 5, 6},
     .error = kWrongTokens},
    {.module = "EncoderBlock",
     .variant = "layer scale, dropout and stochastic depth",
     .make = making<nn::EncoderBlock>(nn::EncoderBlockSpec{.width = 4,
                                                           .heads = 4,
                                                           .hidden = 3,
                                                           .qkv_bias = false,
                                                           .gelu = GeluForm::tanh,
                                                           .layer_scale = 0.5,
                                                           .dropout = 0.2,
                                                           .attention_dropout = 0.2,
                                                           .drop_path = 0.4}),
     .input = values({5, 3, 4}),
     .state = "norm1.weight [4] norm1.bias [4] attn.qkv.weight [12,4] attn.proj.weight [4,4] "
              "attn.proj.bias [4] ls1.gamma [4] norm2.weight [4] norm2.bias [4] mlp.fc1.weight "
              "[3,4] mlp.fc1.bias [3] mlp.fc2.weight [4,3] mlp.fc2.bias [4] ls2.gamma [4]",
     .has_modes = true,
     .wrong_input = {2, 5, 6},
     .error = kWrongTokens},
};

}  // namespace
}  // namespace diagrad::testing
