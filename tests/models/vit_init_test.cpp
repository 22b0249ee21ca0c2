#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/size2.h"
#include "diagrad/models/first_weights.h"
#include "diagrad/models/registry.h"
#include "tests/support/op_case.h"

namespace diagrad::models {
namespace {

using nlohmann::json;
using testing::error_message;

constexpr int64_t kWidth = 8;
constexpr int64_t kPatch = 4;

/// With a class token if `prefix` is 1.
std::shared_ptr<nn::Module> small_vit(Size2 grid, int64_t prefix) {
  return create("vit", {.classes = 3,
                        .input = {grid.h * kPatch, grid.w * kPatch, 3},
                        .options = {{"dim", "8"},
                                    {"depth", "1"},
                                    {"heads", "2"},
                                    {"class-token", prefix == 1 ? "true" : "false"},
                                    {"pool", prefix == 1 ? "class" : "avg"}}});
}

/// Element k is ((37 k) mod 101) / 101 - 0.5, as in tests/parity/make_positions.py.
Tensor formula(const Shape& shape) {
  const Tensor tensor = Tensor::empty(shape);
  for (int64_t k = 0; k < tensor.numel(); ++k) {
    tensor.data<float>()[k] = static_cast<float>(k * 37 % 101) / 101.0F - 0.5F;
  }
  return tensor;
}

/// The state of a plain file for `patches` positions, patch projection [O,I,kh,kw]; the grid of the
/// model that it is made of does not matter.
nn::StateDict plain_file(int64_t patches, int64_t prefix) {
  nn::StateDict file;
  const auto model = small_vit({1, 2}, prefix);
  for (const auto& [name, tensor] : model->state_dict()) file[name] = tensor.clone();
  file["pos_embed"] = formula({1, prefix + patches, kWidth});
  file["patch_embed.proj.weight"] = formula({kWidth, 3, kPatch, kPatch});
  return file;
}

FirstWeights fit(const nn::StateDict& file, const nn::Module& model, const std::string& grid = "",
                 const Shape& trained_on = {}) {
  const ModelInfo& info = find("vit");
  Selection selection{"vit", {}};
  if (!grid.empty()) selection.options = {{"grid", grid}};
  return fit_weights({.tensors = from_torch_layout(file),
                      .input = trained_on,
                      .options = OptionValues("init", selection, info.init_options)},
                     &info, model);
}

std::string grid_text(Size2 grid) {
  return std::to_string(grid.h) + "x" + std::to_string(grid.w);
}

double largest_difference(const Tensor& ours, const json& theirs) {
  REQUIRE(ours.numel() == static_cast<int64_t>(theirs.size()));
  double worst = 0.0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    worst = std::max(
        worst, std::abs(static_cast<double>(ours.data<float>()[i]) - theirs[i].get<double>()));
  }
  return worst;
}

TEST_CASE("positions of another grid are resampled as timm does") {
  std::ifstream stream(std::string(DIAGRAD_SOURCE_DIR) + "/tests/parity/golden/positions.json");
  REQUIRE(stream.good());
  const json golden = json::parse(stream);
  for (const json& one : golden["cases"]) {
    const Size2 from{one["from"][0].get<int64_t>(), one["from"][1].get<int64_t>()};
    const Size2 to{one["to"][0].get<int64_t>(), one["to"][1].get<int64_t>()};
    const auto prefix = one["prefix"].get<int64_t>();
    CAPTURE(grid_text(from));
    CAPTURE(grid_text(to));
    const auto model = small_vit(to, prefix);
    const std::string option = from.h == from.w ? "" : grid_text(from);
    const nn::StateDict file = plain_file(from.h * from.w, prefix);
    const FirstWeights weights = fit(file, *model, option);
    CHECK(weights.missing.empty());
    CHECK(weights.unexpected.empty());
    CHECK(weights.notes == std::vector<std::string>{"positions resampled from " + grid_text(from) +
                                                    " to " + grid_text(to) + " patches"});
    const double error = largest_difference(weights.tensors.at("pos_embed"), one["positions"]);
    MESSAGE(grid_text(from) << " to " << grid_text(to) << ": off by " << error);
    CHECK(error < 1e-5);
    // Another filter: the bound must notice it.
    const FirstWeights turned = fit(file, *model, grid_text({from.h * from.w, 1}));
    CHECK(largest_difference(turned.tensors.at("pos_embed"), one["positions"]) > 1e-2);

    nn::load(model->state_dict(), weights.tensors);
    const NoGrad no_grad;
    CHECK(model->forward(formula({1, to.h * kPatch, to.w * kPatch, 3})).shape() == Shape{1, 3});
  }
}

TEST_CASE("the patch projection of a plain file comes in as [O,kh,kw,I]") {
  const nn::StateDict file = plain_file(4, 1);
  const FirstWeights weights = fit(file, *small_vit({2, 2}, 1));
  CHECK(weights.notes.empty());
  const Tensor there = file.at("patch_embed.proj.weight");
  const Tensor here = weights.tensors.at("patch_embed.proj.weight");
  REQUIRE(here.shape() == Shape{kWidth, kPatch, kPatch, 3});
  for (int64_t k = 0; k < here.numel(); ++k) {
    const int64_t i = k % 3;
    const int64_t pixel = k / 3 % (kPatch * kPatch);
    const int64_t o = k / (3 * kPatch * kPatch);
    REQUIRE(here.data<float>()[k] == there.data<float>()[(o * 3 + i) * kPatch * kPatch + pixel]);
  }
}

TEST_CASE("the grid of positions: the option, else the trained size, else the square") {
  const auto model = small_vit({2, 2}, 1);
  const auto note = [&](const std::string& grid, const Shape& trained_on) {
    const FirstWeights weights = fit(plain_file(36, 1), *model, grid, trained_on);
    REQUIRE(weights.notes.size() == 1);
    return weights.notes.front();
  };
  CHECK(note("", {}) == "positions resampled from 6x6 to 2x2 patches");
  CHECK(note("", {16, 36, 3}) == "positions resampled from 4x9 to 2x2 patches");
  CHECK(note("12x3", {}) == "positions resampled from 12x3 to 2x2 patches");
  CHECK(note("12x3", {16, 36, 3}) == "positions resampled from 12x3 to 2x2 patches");
  CHECK(fit(plain_file(4, 1), *model).notes.empty());
  CHECK(fit(plain_file(4, 1), *model, "1x4").notes ==
        std::vector<std::string>{"positions resampled from 1x4 to 2x2 patches"});
}

TEST_CASE("positions of the model's own grid stay as they are, and are not turned") {
  struct Form {
    Size2 grid;
    int64_t prefix;
  };
  // 196 positions are 14x14 without a class token, not 13x15 behind one.
  for (const Form& form : {Form{14, 0}, Form{14, 1}, Form{{10, 7}, 1}, Form{{7, 10}, 0}}) {
    CAPTURE(grid_text(form.grid));
    const auto model = small_vit(form.grid, form.prefix);
    const nn::StateDict file = plain_file(form.grid.h * form.grid.w, form.prefix);
    const bool is_square = form.grid.h == form.grid.w;
    const FirstWeights weights = fit(file, *model, is_square ? "" : grid_text(form.grid));
    CHECK(weights.notes.empty());
    const Tensor& ours = weights.tensors.at("pos_embed");
    const Tensor& theirs = file.at("pos_embed");
    REQUIRE(ours.shape() == theirs.shape());
    for (int64_t i = 0; i < ours.numel(); ++i)
      CHECK(ours.data<float>()[i] == theirs.data<float>()[i]);
    if (is_square) continue;
    const FirstWeights turned = fit(file, *model, grid_text({form.grid.w, form.grid.h}));
    CHECK(turned.notes.size() == 1);
  }
}

TEST_CASE("the tokens in front of the patches keep their positions") {
  const FirstWeights weights = fit(plain_file(49, 1), *small_vit({4, 4}, 1));
  const Tensor before = formula({1, 50, kWidth});
  for (int64_t k = 0; k < kWidth; ++k) {
    CHECK(weights.tensors.at("pos_embed").data<float>()[k] == before.data<float>()[k]);
  }
}

TEST_CASE("positions that make no such grid are refused with the numbers") {
  const auto model = small_vit({4, 4}, 1);
  const auto message = [&](int64_t patches, const std::string& grid = "",
                           const Shape& trained_on = {}) {
    return error_message([&] { fit(plain_file(patches, 1), *model, grid, trained_on); });
  };
  CHECK(message(50) == "init: 50 positions are no grid of 7x7 patches; name theirs, FILE:grid=HxW");
  CHECK(message(49, "7x6") ==
        "init: 49 positions are no grid of 7x6 patches; name theirs, FILE:grid=HxW");
  CHECK(message(49, "0x7") ==
        "init: 49 positions are no grid of 0x7 patches; name theirs, FILE:grid=HxW");
  CHECK(message(49, "", {28, 24, 3}) ==
        "init: 49 positions are no grid of 7x6 patches; name theirs, FILE:grid=HxW");
  CHECK(message(49, "49") == "init: grid=49 is no height x width, such as 14x14");
  CHECK(message(49, "7xseven").find("init: grid") == 0);
}

}  // namespace
}  // namespace diagrad::models
