#include "diagrad/core/registry.h"

#include <doctest/doctest.h>

#include <functional>

#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

struct Info {
  std::string name = {};
  std::function<int()> make = {};
};

TEST_CASE("a registry keeps entries in order of their names and finds them") {
  Registry<Info> registry("gadget");
  registry.add({"b", [] { return 2; }});
  registry.add({"a", [] { return 1; }});
  CHECK(registry.all().front().name == "a");
  CHECK(registry.find("b").make() == 2);
  CHECK(error_message([&] { registry.find("gizmo"); }) ==
        "gadget: 'gizmo' is unknown (use one of: a, b)");
}

TEST_CASE("an entry that could not be used is refused when it is registered, with its name") {
  Registry<Info> registry("gadget");
  registry.add({"a", [] { return 1; }});
  CHECK(error_message([&] {
          registry.add({"b", {}});
        }) == "gadget 'b' is registered without .make, the function that makes it");
  CHECK(error_message([&] {
          registry.add({"", [] { return 1; }});
        }) == "gadget: an entry is registered without a name");
  CHECK(error_message([&] {
          registry.add({"a", [] { return 1; }});
        }) == "gadget 'a' is registered twice");
  CHECK(registry.all().size() == 1);
}

}  // namespace
}  // namespace diagrad
