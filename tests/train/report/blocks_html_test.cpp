#include "diagrad/train/report/blocks_html.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/train/report/html_fault.h"

namespace diagrad::train {
namespace {

using testing::html_fault;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t count_of_text(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

const std::string& whole(const std::string& html) {
  CHECK(html_fault("\n" + html) == "");
  CHECK_FALSE(contains(html, "nan"));
  CHECK_FALSE(contains(html, "inf"));
  return html;
}

Table bars(std::vector<std::string> names, std::vector<double> values, bool is_share = true) {
  return {.title = "Accuracy by class",
          .row_heading = "class",
          .row_names = std::move(names),
          .columns = {{.name = "accuracy", .is_share = is_share, .values = std::move(values)}},
          .is_sorted = true};
}

TEST_CASE("bars are sorted, the least first, and rows without a value are left out") {
  const std::string html =
      whole(table_html(bars({"cat", "dog", "eel", "fox"}, {0.9, 0.25, NAN, 1.0})));
  CHECK(contains(html, "<h3>Accuracy by class</h3>"));
  const size_t dog = html.find(">dog<");
  const size_t cat = html.find(">cat<");
  const size_t fox = html.find(">fox<");
  CHECK(dog < cat);
  CHECK(cat < fox);
  CHECK(fox != std::string::npos);
  CHECK_FALSE(contains(html, "eel"));
  CHECK(contains(html, "<i style=\"width:25.0%\"></i></div><span>25.0 %</span>"));
  CHECK(contains(html, "<i style=\"width:100.0%\"></i></div><span>100.0 %</span>"));
}

TEST_CASE("bars of counts are drawn against the largest one") {
  const std::string html = whole(table_html(bars({"cat", "dog"}, {4000.0, 1000.0}, false)));
  CHECK(contains(html, "<i style=\"width:25.0%\"></i></div><span>1,000</span>"));
  CHECK(contains(html, "<i style=\"width:100.0%\"></i></div><span>4,000</span>"));
}

TEST_CASE("a table shows counts, numbers, shares and gaps") {
  const Table table{.title = "Most often confused",
                    .note = "Both ways.",
                    .row_heading = "class, predicted as",
                    .row_names = {"cat, dog", "dog, cat"},
                    .columns = {{.name = "images", .values = {1234.0, NAN}},
                                {.name = "weight", .values = {0.125, HUGE_VAL}},
                                {.name = "share", .is_share = true, .values = {0.5, 1.0}}}};
  const std::string html = whole(table_html(table));
  CHECK(contains(html, "<p class=\"words\">Both ways.</p>"));
  CHECK(contains(html, "<th>class, predicted as</th><th>images</th><th>weight</th><th>share</th>"));
  CHECK(contains(html, "<td>cat, dog</td><td>1,234</td><td>0.125</td><td>50.0 %</td>"));
  CHECK(contains(html, "<td>dog, cat</td><td>-</td><td>-</td><td>100.0 %</td>"));
  CHECK(contains(whole(table_html({.title = "T", .note = "Nothing."})), "Nothing."));
}

TEST_CASE("of a table with very many rows the first ones are shown") {
  constexpr size_t kRows = 100'000;
  std::vector<double> values(kRows, 0.5);
  values.back() = 0.25;  // the least, so it comes first
  Table table = bars(std::vector<std::string>(kRows, "class"), values);
  std::string html = whole(table_html(table));
  CHECK(count_of_text(html, "class=\"bar\"") == 1000);
  CHECK(contains(html, "<span>25.0 %</span>"));
  CHECK(contains(html, "The first 1,000 of 100,000 rows."));
  table.is_sorted = false;
  html = whole(table_html(table));
  CHECK(count_of_text(html, "<tr>") == 1001);
  CHECK(contains(html, "The first 1,000 of 100,000 rows."));
}

Matrix matrix_of(size_t classes, int64_t count) {
  Matrix matrix{.title = "Confusion matrix",
                .note = "Rows are true classes.",
                .row_heading = "true class",
                .column_heading = "predicted class"};
  for (size_t k = 0; k < classes; ++k) matrix.names.push_back("name" + std::to_string(k));
  matrix.counts.assign(classes, std::vector<int64_t>(classes, count));
  return matrix;
}

TEST_CASE("the cells of a matrix have tooltips with both names, the count and the share") {
  Matrix matrix = matrix_of(2, 0);
  matrix.names = {"cat", "dog"};
  matrix.counts = {{6, 2}, {0, 5}};
  const std::string html = whole(matrix_html(matrix, "m"));
  CHECK(contains(html, "<title>true class cat, predicted class dog: 2 of 8 (25.0 %)</title>"));
  CHECK(contains(html, "<title>true class dog, predicted class dog: 5 of 5 (100.0 %)</title>"));
  CHECK_FALSE(contains(html, "true class dog, predicted class cat"));  // never, so no cell
  CHECK(contains(html, "<figcaption><b>Confusion matrix</b> Rows are true classes.</figcaption>"));
  CHECK(contains(html, "<title id=\"m-title\">Confusion matrix</title>"));
  CHECK(contains(html, "<desc id=\"m-text\">Rows are true classes.</desc>"));
  CHECK(contains(html, ">2</text>"));
  CHECK(matrix_html({.title = "empty"}, "m").empty());
}

TEST_CASE("of many classes the numbers, of more the names stand in the tooltips alone") {
  const auto count = [](size_t classes, const std::string& part) {
    return count_of_text(whole(matrix_html(matrix_of(classes, 1234), "m")), part);
  };
  CHECK(count(24, "<text class=\"count") == 24 * 24);
  CHECK(count(25, "<text class=\"count") == 0);
  CHECK(count(40, "<text class=\"tick") == 2 * 40);
  CHECK(count(41, "<text class=\"tick") == 0);
  CHECK(count(41, "<title>true class name40, predicted class name0: 1234 of") == 1);
}

TEST_CASE("a series is a chart with its lines and their names") {
  const Series series{.title = "Calibration",
                      .note = "The diagonal is perfect.",
                      .x_heading = "confidence",
                      .x = {0.0, 0.5, NAN, 1.0},
                      .lines = {{.name = "accuracy", .y = {0.0, 0.25, 0.5, NAN}},
                                {.name = "ideal", .y = {0.0, 0.5, 0.75, 1.0}}}};
  const std::string html = whole(series_html(series, "s7"));
  CHECK(contains(html, "<figure"));
  CHECK(contains(html, "s7"));
  CHECK(contains(html, "Calibration"));
  CHECK(contains(html, "The diagonal is perfect."));
  CHECK(contains(html, ">confidence<"));
  CHECK(contains(html, ">accuracy<"));
  CHECK(contains(html, ">ideal<"));
  CHECK_FALSE(whole(series_html({}, "empty")).empty());
}

TEST_CASE("texts of blocks cannot leave their place in the page") {
  const std::string evil = "<script>alert('x')</script>\" onload=\"\x01\xff]]>&amp;";
  Table table = bars({evil, std::string(500, '<')}, {0.5, 0.25});
  table.title = table.note = table.row_heading = table.columns[0].name = evil;
  Table plain = table;
  plain.is_sorted = false;
  Matrix matrix = matrix_of(2, 3);
  matrix.title = matrix.note = matrix.row_heading = matrix.column_heading = evil;
  matrix.names = {evil, evil};
  const Series series{.title = evil,
                      .note = evil,
                      .x_heading = evil,
                      .x = {1.0, 2.0},
                      .lines = {{.name = evil, .y = {1.0, 2.0}}}};
  ShownImage image{.description = evil,
                   .source = evil,
                   .index = 4,
                   .height = 8,
                   .width = 8,
                   .shown_height = 8,
                   .shown_width = 8,
                   .type = "image/png",
                   .base64 = "AAAA",
                   .captions = {{.label = evil, .text = evil, .share = 0.5, .rest = 0.5}}};
  const ShownGallery gallery{.title = evil, .note = evil, .images = {image}};
  const std::string html = whole(blocks_html({table, matrix, plain, series, gallery}));
  CHECK_FALSE(contains(html, "<script"));
  CHECK_FALSE(contains(html, "\" onload"));
  CHECK(contains(html, "&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST_CASE("small tables behind a matrix stand beside it, and every chart has its own id") {
  const Matrix matrix = matrix_of(2, 3);
  const Table small = bars({"cat"}, {0.5});
  const Table large = bars(std::vector<std::string>(25, "cat"), std::vector<double>(25, 0.5));
  const Series series{.title = "S", .x = {1.0}, .lines = {{.name = "a", .y = {1.0}}}};
  const std::string html =
      whole(blocks_html({matrix, small, small, large, matrix, series, series}));
  const size_t row = html.find("<div class=\"matrix-row\">");
  const size_t end = html.find("</div>\n</div>\n", html.rfind("<h3>", html.find("width:50.0%")));
  CHECK(row == 0);
  CHECK(end != std::string::npos);
  CHECK(count_of_text(html, "<h3>Accuracy by class</h3>") == 3);
  CHECK(count_of_text(html, "<div class=\"matrix-row\">") == 2);
  CHECK(count_of_text(html, "id=\"block0-title\"") == 1);
  CHECK(count_of_text(html, "id=\"block4-title\"") == 1);
  CHECK(count_of_text(html, "id=\"block5-title\"") == 1);
  CHECK(count_of_text(html, "id=\"block6-title\"") == 1);
  CHECK(blocks_html({}).empty());
  // A matrix that was not kept leaves no empty place beside the tables.
  const std::string without = whole(blocks_html({Matrix{.title = "Confusion matrix"}, small}));
  CHECK_FALSE(contains(without, "matrix-row"));
  CHECK(contains(without, "Accuracy by class"));
}

}  // namespace
}  // namespace diagrad::train
