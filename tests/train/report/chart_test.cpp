#include "diagrad/train/report/chart.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/train/report/html.h"
#include "tests/train/report/html_fault.h"

namespace diagrad::train {
namespace {

using testing::html_fault;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("text for HTML is escaped, bytes that are no text are replaced") {
  CHECK(escape_html(R"(<a href='x'>&"</a>)") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
  const std::string replacement = "\xEF\xBF\xBD";
  CHECK(escape_html(std::string("a\0b", 3)) == "a" + replacement + "b");
  CHECK(escape_html("\x1b[31m\x7f") == replacement + "[31m" + replacement);
  CHECK(escape_html("\xC3\xA4 \xE6\x97\xA5") == "\xC3\xA4 \xE6\x97\xA5");
  CHECK(escape_html("\xC3") == replacement);                    // cut
  CHECK(escape_html("\xC2\x85") == replacement + replacement);  // a control of Latin-1
  CHECK(escape_html("\xC0\xBC") == replacement + replacement);  // an overlong <
  CHECK(shorten("\xC3\xA4\xC3\xB6\xC3\xBC", 2) == "\xC3\xA4\xC3\xB6\xE2\x80\xA6");
  CHECK(shorten("abc", 3) == "abc");
}

TEST_CASE("axes have round ticks around the values") {
  CHECK(axis_ticks(0.0, 5.0, 5) == std::vector<double>{0, 1, 2, 3, 4, 5});
  CHECK(axis_ticks(0.0, 164.0, 5).back() == 200.0);
  CHECK(axis_ticks(3.0, 3.0, 5).size() >= 2);
  for (const double high : {1e-30, 1e-7, 0.9, 1.0, 164.0, 64124.0, 1e17, 1e99}) {
    for (const double low : {0.0, -high, high / 2.0, high * (1.0 - 1e-15)}) {
      const std::vector<double> ticks = axis_ticks(low, high, 5);
      CAPTURE(low);
      CAPTURE(high);
      CHECK(ticks.size() >= 2);
      CHECK(ticks.size() <= 9);
      CHECK(ticks.front() <= low + 1e-6 * high + 1e-12);
      CHECK(ticks.back() >= high * (1.0 - 1e-6));
    }
  }
}

TEST_CASE("labels that would overlap are moved apart and stay in the image") {
  CHECK(spread_apart({50, 10}, 20, 0, 100) == std::vector<double>{50, 10});
  CHECK(spread_apart({50, 49, 51}, 20, 0, 100) == std::vector<double>{69, 49, 89});
  CHECK(spread_apart({100, 100}, 20, 0, 100) == std::vector<double>{80, 100});
}

TEST_CASE("charts are drawn for one point, none, gaps and values beyond all bounds") {
  Chart chart{.id = "c", .title = "<b>", .x_name = "\"x\""};
  CHECK(html_fault("\n" + chart_html(chart)) == "");
  for (const bool percent : {false, true}) {
    for (const double y : {0.0, 1.0, -3.0, 1e308, std::nan(""), HUGE_VAL, 1e-300}) {
      chart.percent = percent;
      chart.may_be_logarithmic = !percent;
      chart.series = {
          {.name = "<i>", .style = "train", .points = {{1.0, y}, {2.0, 0.5}, {3.0, y}}}};
      const std::string html = chart_html(chart);
      CAPTURE(y);
      CHECK(html_fault("\n" + html) == "");
      CHECK_FALSE(contains(html, "nan"));
      CHECK_FALSE(contains(html, "inf"));
      CHECK_FALSE(contains(html, "<i>"));
    }
  }
}

}  // namespace
}  // namespace diagrad::train
