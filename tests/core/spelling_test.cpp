#include "diagrad/core/spelling.h"

#include <doctest/doctest.h>

namespace diagrad {
namespace {

TEST_CASE("the nearest name is offered when it is near") {
  const std::vector<std::string> names = {"resnet20", "resnet164", "vit"};
  CHECK(closest("resnet21", names) == "resnet20");
  CHECK(closest("renset20", names) == "resnet20");
  CHECK(closest("resnet-164", names) == "resnet164");
  CHECK(closest("unet", {"vit", "dense"}).empty());
  CHECK(closest("", names).empty());
  CHECK(closest("resn", names) == "resnet20");
  CHECK(closest("--reco", {"--recipe", "--rec"}) == "--rec");
  CHECK(closest("--e", {"--epochs-of-all", "--eval"}).empty());
  CHECK(did_you_mean("resnt20", names) == ", did you mean 'resnet20'?");
  CHECK(did_you_mean("mobilenet", names).empty());
}

}  // namespace
}  // namespace diagrad
