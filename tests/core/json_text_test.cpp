#include "diagrad/core/json_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace diagrad {
namespace {

std::string nested(int depth) {
  const auto count = static_cast<size_t>(depth);
  return std::string(count, '[') + std::string(count, ']');
}

TEST_CASE("JSON is read up to a depth and a number of values, whatever stands in its strings") {
  CHECK(parse_json(R"({"a":[1,{"b":"x"}]})").at("a")[1].at("b") == "x");
  CHECK(parse_json(nested(kMostJsonDepth)).is_array());
  CHECK(parse_json(nested(kMostJsonDepth + 1)).is_discarded());
  CHECK(parse_json(std::string(1 << 20, '[')).is_discarded());
  CHECK(parse_json(R"({"a":)" + nested(100000) + "}").is_discarded());
  CHECK(parse_json("\"" + std::string(1000, '[') + "\"").is_string());
  CHECK(parse_json(R"(["\"[[[[[[[[[[[[[[[[[[[[[[[", "\\"])").size() == 2);
  CHECK(parse_json("").is_discarded());
  CHECK(parse_json("\"\\").is_discarded());
  CHECK(parse_json("]]]]]][[[[").is_discarded());
  std::string list = "[0";
  for (int64_t i = 2; i < kMostJsonValues; ++i) list += ",0";
  CHECK(parse_json(list + "]").size() == static_cast<size_t>(kMostJsonValues - 1));
  CHECK(parse_json(list + ",0]").is_discarded());
}

TEST_CASE("a count is a whole number within its bounds, and nothing else is converted to one") {
  CHECK(count_of(nlohmann::json(3), 10) == 3);
  CHECK(count_of(parse_json("0"), 10) == 0);
  CHECK(count_of(parse_json("10"), 10) == 10);
  CHECK(count_of(parse_json("9223372036854775807"), INT64_MAX) == INT64_MAX);
  for (const char* other : {"11", "-1", "1e300", "-1e300", "2.0", "18446744073709551615",
                            "18446744073709551616", "null", "true", "\"3\"", "[3]", "{}", "?"}) {
    CAPTURE(other);
    CHECK(count_of(parse_json(other), 10) == std::nullopt);
  }
}

}  // namespace
}  // namespace diagrad
