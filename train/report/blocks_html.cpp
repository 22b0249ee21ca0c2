#include "diagrad/train/report/blocks_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "diagrad/core/text.h"
#include "diagrad/train/report/chart.h"
#include "diagrad/train/report/html.h"

namespace diagrad::train {
namespace {

constexpr int64_t kSide = 128;      // pixels of the page that an image takes at most
constexpr size_t kBeside = 24;      // rows of a table that fits beside a matrix
constexpr size_t kMostRows = 1000;  // of a table that are shown

std::string value_text(const Column& column, double value) {
  if (!std::isfinite(value)) return "-";
  if (column.is_share) return percent(value);
  return value == std::floor(value) && std::abs(value) < 1e15 ? thousands(std::llround(value))
                                                              : fmt::format("{:.4g}", value);
}

/// Says that a table has more rows than are shown.
std::string rest_html(size_t rows) {
  if (rows <= kMostRows) return {};
  return fmt::format("<p class=\"words\">The first {} of {} rows.</p>\n", thousands(kMostRows),
                     thousands(static_cast<int64_t>(rows)));
}

std::string heading(const std::string& title, const std::string& note) {
  std::string html = "<h3>" + escape_html(title) + "</h3>\n";
  if (!note.empty()) html += "<p class=\"words\">" + escape_html(note) + "</p>\n";
  return html;
}

/// A bar for each row with a value, the least first.
std::string bars_html(const Table& table) {
  const Column& column = table.columns.back();
  std::vector<size_t> order;
  for (size_t row = 0; row < column.values.size(); ++row) {
    if (std::isfinite(column.values[row])) order.push_back(row);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return column.values[a] < column.values[b]; });
  const size_t rows = order.size();
  order.resize(std::min(rows, kMostRows));
  double most = 1.0;
  for (const size_t row : order) {
    if (!column.is_share) most = std::max(most, column.values[row]);
  }
  std::string body = "<div class=\"classes\">\n";
  for (const size_t row : order) {
    const std::string& name = table.row_names[row];
    body += fmt::format(
        "<div class=\"class\"><span title=\"{}\">{}</span><div class=\"bar\">"
        "<i style=\"width:{:.1f}%\"></i></div><span>{}</span></div>\n",
        escape_html(name), escape_html(shorten(name, 40)),
        100.0 * std::clamp(column.values[row] / most, 0.0, 1.0),
        value_text(column, column.values[row]));
  }
  return body + "</div>\n" + rest_html(rows);
}

/// "99.2 %"; neither "100.0 %" nor "0.0 %" for what is only close to it. HTML.
std::string sure_percent(double share, double rest) {
  if (rest > 0.0 && rest < 0.0005) return "&gt; 99.9 %";
  if (share > 0.0 && share < 0.0005) return "&lt; 0.1 %";
  return fmt::format("{:.1f} %", 100.0 * share);
}

std::string caption_html(const Gallery::Caption& caption) {
  std::string html = fmt::format("<span class=\"answer\">{} <b title=\"{}\">{}</b></span>",
                                 escape_html(caption.label), escape_html(caption.text),
                                 escape_html(shorten(caption.text, 40)));
  if (caption.share < 0.0) return html;
  return html + fmt::format(
                    "<span class=\"chance\"><span class=\"bar {}\"><i style=\"width:{:.1f}%\"></i>"
                    "</span><em>{}</em></span>",
                    caption.is_good ? "good" : "bad", 100.0 * caption.share,
                    sure_percent(caption.share, caption.rest));
}

std::string image_html(const ShownImage& image) {
  // Whole multiples alone, so that all pixels are of one size.
  const int64_t scale =
      std::max<int64_t>(1, kSide / std::max(image.shown_height, image.shown_width));
  std::string captions;
  for (const Gallery::Caption& caption : image.captions) captions += caption_html(caption);
  return fmt::format(
      "<figure class=\"sample\"><span class=\"mount\"><img{} width=\"{}\" height=\"{}\" alt=\"{}\" "
      "title=\"{}\" src=\"data:{};base64,{}\"/></span>{}</figure>\n",
      image.type == "image/png" ? " class=\"pixels\"" : "", image.shown_width * scale,
      image.shown_height * scale, escape_html(image.description),
      escape_html(fmt::format("image {}: {}", thousands(image.index), image.source)), image.type,
      image.base64, captions);
}

}  // namespace

std::string table_html(const Table& table) {
  std::string html = heading(table.title, table.note);
  if (table.row_names.empty() || table.columns.empty()) return html;
  if (table.is_sorted) return html + bars_html(table);
  html += "<div class=\"wide\"><table class=\"figures\">\n<tr><th>" +
          escape_html(table.row_heading) + "</th>";
  for (const Column& column : table.columns) html += "<th>" + escape_html(column.name) + "</th>";
  html += "</tr>\n";
  for (size_t row = 0; row < std::min(table.row_names.size(), kMostRows); ++row) {
    html += "<tr><td>" + escape_html(shorten(table.row_names[row], 80)) + "</td>";
    for (const Column& column : table.columns) {
      html += "<td>" + value_text(column, column.values[row]) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n" + rest_html(table.row_names.size());
}

std::string gallery_html(const ShownGallery& gallery) {
  std::string html = heading(gallery.title, gallery.note) + "<div class=\"samples\">\n";
  for (const ShownImage& image : gallery.images) html += image_html(image);
  html += "</div>\n";
  if (!gallery.images.empty() &&
      gallery.images.front().shown_height < gallery.images.front().height) {
    html += "<p class=\"words size\">Images are shown smaller than they are.</p>\n";
  }
  return html;
}

std::string series_html(const Series& series, const std::string& id) {
  constexpr const char* kStyles[] = {"train", "test", "averaged"};
  Chart chart{.id = id, .title = series.title, .note = series.note, .x_name = series.x_heading};
  for (const double x : series.x) {
    if (std::isfinite(x)) chart.x_max = std::max(chart.x_max, x);
  }
  for (size_t i = 0; i < series.lines.size(); ++i) {
    ChartSeries line{.name = series.lines[i].name, .style = kStyles[i % 3], .has_dots = true};
    for (size_t k = 0; k < series.x.size(); ++k) {
      if (!std::isfinite(series.x[k])) continue;
      line.points.push_back({series.x[k], series.lines[i].y[k]});
    }
    chart.series.push_back(std::move(line));
  }
  return "<div class=\"series\">\n" + chart_html(chart) + "</div>\n";
}

std::string blocks_html(const std::vector<ShownBlock>& blocks) {
  std::string html;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string id = fmt::format("block{}", i);
    if (const auto* matrix = std::get_if<Matrix>(&blocks[i])) {
      const std::string figure = matrix_html(*matrix, id);
      if (figure.empty()) continue;
      std::string beside;
      while (i + 1 < blocks.size()) {
        const auto* table = std::get_if<Table>(&blocks[i + 1]);
        if (table == nullptr || table->row_names.size() > kBeside) break;
        beside += table_html(*table);
        ++i;
      }
      html +=
          fmt::format("<div class=\"matrix-row\">\n{}<div>\n{}</div>\n</div>\n", figure, beside);
    } else if (const auto* table = std::get_if<Table>(&blocks[i])) {
      html += table_html(*table);
    } else if (const auto* series = std::get_if<Series>(&blocks[i])) {
      html += series_html(*series, id);
    } else {
      html += gallery_html(std::get<ShownGallery>(blocks[i]));
    }
  }
  return html;
}

}  // namespace diagrad::train
