#include "diagrad/models/resnet.h"

#include <doctest/doctest.h>

#include <map>

#include "diagrad/models/registry.h"
#include "diagrad/models/summary.h"
#include "tests/support/op_case.h"

namespace diagrad::models {
namespace {

std::shared_ptr<nn::Module> cifar_net(const std::string& name, const std::string& attention,
                                      const std::string& sharing, int64_t classes) {
  return create(name, {.classes = classes,
                       .input = {32, 32, 3},
                       .attention = attention,
                       .sharing = sharing,
                       .seed = 1});
}

int64_t parameters(const nn::Module& model) {
  int64_t count = 0;
  for (const auto& parameter : model.named_parameters()) count += parameter.tensor.numel();
  return count;
}

TEST_CASE("parameter totals are those of the published networks, to the unit") {
  struct Row {
    const char* name;
    int64_t classes, base, se, dia, shared_se;
  };
  const Row rows[] = {
      {"resnet20", 10, 272474, 274847, 286866, 273265},
      {"resnet20", 100, 278324, 280697, 292716, 279115},
      {"resnet56", 10, 855770, 862889, 870162, 856561},
      {"resnet56", 100, 861620, 868739, 876012, 862411},
      {"resnet110", 10, 1730714, 1744952, 1745106, 1731505},
      {"resnet110", 100, 1736564, 1750802, 1750956, 1737355},
      {"resnet83", 100, 892660, 993712, 1111508, 0},
      {"resnet164", 10, 1704154, 1906258, 1923002, 1715382},
      {"resnet164", 100, 1727284, 1929388, 1946132, 1738512},
      {"resnet245", 100, 2561908, 2865064, 2780756, 0},
      {"resnet326", 100, 3396532, 3800740, 3615380, 0},
      {"resnet407", 100, 4231156, 4736416, 4450004, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(parameters(*cifar_net(row.name, "none", "", row.classes)) == row.base);
    CHECK(parameters(*cifar_net(row.name, "se", "", row.classes)) == row.se);
    CHECK(parameters(*cifar_net(row.name, "dia-lstm", "", row.classes)) == row.dia);
    if (row.shared_se == 0) continue;
    CHECK(parameters(*cifar_net(row.name, "se", "stage", row.classes)) == row.shared_se);
  }
}

TEST_CASE("options of attention change the totals by their closed forms, to the unit") {
  constexpr int64_t kBase = 1727284;
  const auto added = [](const std::string& attention, const std::string& sharing) {
    return parameters(*cifar_net("resnet164", attention, sharing, 100)) - kBase;
  };
  // Each stacked cell of DIA-LSTM has two layers C to 4C, with C = 64, 128, 256.
  constexpr int64_t kCell = 691712;
  CHECK(added("dia-lstm", "") == 218848);                      // 1.946 million in all
  CHECK(added("dia-lstm:cells=2", "") == 218848 + kCell);      // 2.638
  CHECK(added("dia-lstm:cells=3", "") == 218848 + 2 * kCell);  // 3.330
  CHECK(added("dia-lstm:cells=4", "") == 218848 + 3 * kCell);  // 4.021
  CHECK(added("dia-lstm:reduction=1", "") == 864640);
  CHECK(added("dia-lstm:reduction=8", "") == 111216);
  CHECK(added("dia-lstm:reduction=16", "") == 57400);
  CHECK(added("dia-lstm:output=tanh", "") == 218848);
  CHECK(added("dia-lstm:reduction=32", "") == 30492);
  CHECK(added("se:reduction=4", "") == 784224);
  CHECK(added("se:reduction=4", "stage") == 43568);
  CHECK(added("eca", "") == 234);
  CHECK(added("eca", "stage") == 13);
}

TEST_CASE("a summary counts a shared cell once and its work per call") {
  const auto net = cifar_net("resnet164", "dia-lstm", "", 100);
  const Summary summary = summarize(*net, {32, 32, 3});
  CHECK(summary.parameters == 1946132);
  const Summary plain = summarize(*cifar_net("resnet164", "none", "", 100), {32, 32, 3});
  CHECK(static_cast<double>(plain.multiply_adds) == doctest::Approx(247.67e6).epsilon(1e-3));
  CHECK(static_cast<double>(summary.multiply_adds - plain.multiply_adds) ==
        doctest::Approx(3.87e6).epsilon(1e-3));
  bool seen = false;
  for (const LayerRow& row : summary.layers) {
    if (row.name != "layer1.attention.cells.0") continue;
    seen = true;
    CHECK(row.operation == "dia_cell");
    CHECK(row.calls == 18);
    CHECK(row.parameters == 2 * (64 * 16 + 16 + 256 * 16 + 256));
    CHECK(row.multiply_adds == 18 * 2 * (64 * 16 + 256 * 16));
  }
  CHECK(seen);
}

TEST_CASE("a summary leaves every module in the mode it was in") {
  const auto net = cifar_net("resnet8", "dia-lstm", "", 10);
  net->train();
  const auto& stage = net->children()[2];
  stage.second->eval();  // a frozen part, as its normalisation's statistics
  std::map<const nn::Module*, bool> before;
  net->visit([&](const std::string&, const nn::Module& m) { before[&m] = m.is_training(); });
  summarize(*net, {32, 32, 3});
  net->visit([&](const std::string& name, const nn::Module& m) {
    CHECK_MESSAGE(m.is_training() == before.at(&m), name);
  });
  CHECK(net->is_training());
  CHECK_FALSE(stage.second->is_training());
}

TEST_CASE("names are torchvision's, and a shared unit belongs to its stage") {
  const auto shared = cifar_net("resnet20", "dia-lstm", "", 10)->state_dict();
  for (const char* name :
       {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_var", "layer3.2.bn2.bias", "fc.weight",
        "layer1.attention.cells.0.x_down.weight", "layer3.attention.cells.0.h_up.bias"}) {
    CHECK_MESSAGE(shared.count(name) == 1, name);
  }
  const auto own = cifar_net("resnet20", "se", "", 10)->state_dict();
  CHECK(own.count("layer1.0.attention.fc1.weight") == 1);
}

TEST_CASE("depths that do not exist and unknown models are named") {
  CHECK(testing::error_message([] { make_resnet({.depth = 21}); }) ==
        "resnet: depth 21 is not 6n + 2 (basic blocks); use 20 or 26");
  CHECK(testing::error_message([] {
          create("resnet21", {});
        }).find("'resnet21' is unknown, did you mean 'resnet20'?") != std::string::npos);
  CHECK(testing::error_message([] {
          create("resnet20", {.input = {32, 32, 3}, .options = {{"width", "0"}}});
        }) == "model-opt: width=0 of 'resnet20' must be an integer from 1 to 4096");
}

}  // namespace
}  // namespace diagrad::models
