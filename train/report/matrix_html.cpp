#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "diagrad/core/text.h"
#include "diagrad/train/report/blocks_html.h"
#include "diagrad/train/report/html.h"

namespace diagrad::train {
namespace {

constexpr size_t kNameLength = 13;  // longer names are cut beside the matrix

/// Sizes that follow from the number of classes, in units of the image.
struct Layout {
  explicit Layout(size_t classes)
      : cell(classes <= 12   ? 44.0
             : classes <= 24 ? 30.0
                             : std::max(3.0, 640.0 / static_cast<double>(classes))),
        has_numbers(classes <= 24),
        has_names(classes <= 40),
        left(has_names ? 112.0 : 8.0),
        top(has_names ? 88.0 : 8.0),
        side(cell * static_cast<double>(classes)),
        width(left + side + (has_names ? 62.0 : 8.0)),
        height(top + side + 8.0) {}

  double cell;
  bool has_numbers;
  bool has_names;
  double left;
  double top;
  double side;
  double width;
  double height;
};

std::string names(const Layout& layout, const std::vector<std::string>& classes) {
  std::string svg;
  for (size_t k = 0; layout.has_names && k < classes.size(); ++k) {
    const double middle = layout.cell * (static_cast<double>(k) + 0.5);
    const std::string name = escape_html(shorten(classes[k], kNameLength));
    svg += fmt::format(R"(<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>)",
                       layout.left - 8.0, layout.top + middle + 4.5, name);
    svg += fmt::format(
        R"svg(<text class="tick" transform="translate({:.1f} {}) rotate(-45)">{}</text>)svg",
        layout.left + middle + 2.0, layout.top - 8.0, name);
  }
  return svg;
}

std::string cell(const Layout& layout, size_t row, size_t column, int64_t count, double share,
                 const std::string& tooltip) {
  const double x = layout.left + layout.cell * static_cast<double>(column);
  const double y = layout.top + layout.cell * static_cast<double>(row);
  const double edge = layout.cell > 8.0 ? layout.cell - 1.0 : layout.cell;
  // Mistakes are rarer than hits: their shade grows faster.
  const double shade = row == column ? share : std::sqrt(share);
  std::string svg = fmt::format(
      R"(<g><title>{}</title><rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.2f}"/>)",
      escape_html(tooltip), row == column ? "right" : "wrong", x, y, edge, edge, 0.1 + 0.9 * shade);
  if (layout.has_numbers) {
    svg +=
        fmt::format(R"(<text class="count{}" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                    shade > 0.5 ? " strong" : "", x + edge / 2.0, y + edge / 2.0 + 4.5,
                    layout.cell < 40.0 && count > 999 ? compact(count) : thousands(count));
  }
  return svg + "</g>";
}

}  // namespace

std::string matrix_html(const Matrix& matrix, const std::string& id) {
  if (matrix.counts.empty()) return {};
  const Layout layout(matrix.counts.size());
  std::string svg = fmt::format(
      R"(<svg class="matrix" style="max-width:{0:.0f}px" viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-labelledby="{2}-title {2}-text"><title id="{2}-title">{3}</title><desc id="{2}-text">{4}</desc>)",
      layout.width, layout.height, id, escape_html(matrix.title), escape_html(matrix.note));
  svg += fmt::format(R"(<rect class="field" x="{}" y="{}" width="{:.1f}" height="{:.1f}"/>)",
                     layout.left - 1.0, layout.top - 1.0, layout.side + 1.0, layout.side + 1.0);
  svg += names(layout, matrix.names);
  for (size_t row = 0; row < matrix.counts.size(); ++row) {
    const std::vector<int64_t>& counts = matrix.counts[row];
    const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    for (size_t column = 0; column < counts.size(); ++column) {
      const int64_t count = counts[column];
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(total);
      const std::string tooltip =
          fmt::format("{} {}, {} {}: {} of {} ({:.1f} %)", matrix.row_heading, matrix.names[row],
                      matrix.column_heading, matrix.names[column], count, total, 100.0 * share);
      svg += cell(layout, row, column, count, share, tooltip);
    }
  }
  return fmt::format("<figure><figcaption><b>{}</b> {}</figcaption>{}</svg></figure>\n",
                     escape_html(matrix.title), escape_html(matrix.note), svg);
}

}  // namespace diagrad::train
