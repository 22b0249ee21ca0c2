#include "diagrad/train/report/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "diagrad/core/text.h"
#include "diagrad/train/report/html.h"

namespace diagrad::train {
namespace {


constexpr size_t kPairs = 8;
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

int64_t total(const std::vector<int64_t>& row) {
  return std::accumulate(row.begin(), row.end(), int64_t{0});
}

std::string names(const Layout& layout, const std::vector<std::string>& classes, size_t count) {
  std::string svg;
  for (size_t k = 0; layout.has_names && k < count; ++k) {
    const double middle = layout.cell * (static_cast<double>(k) + 0.5);
    const std::string name = escape_html(shorten(class_name(classes, k), kNameLength));
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

std::string class_name(const std::vector<std::string>& classes, size_t label) {
  return label < classes.size() ? classes[label] : fmt::format("output {}", label);
}

std::vector<ConfusedPair> confused_pairs(const ConfusionCounts& counts, size_t most) {
  std::vector<ConfusedPair> pairs;
  for (size_t a = 0; a < counts.size(); ++a) {
    for (size_t b = a + 1; b < counts.size(); ++b) {
      const int64_t forth = counts[a][b];
      const int64_t back = counts[b][a];
      if (forth + back == 0) continue;
      pairs.push_back(forth >= back ? ConfusedPair{a, b, forth, back}
                                    : ConfusedPair{b, a, back, forth});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const ConfusedPair& a, const ConfusedPair& b) {
    return a.total() > b.total();
  });
  pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

std::vector<double> class_accuracies(const ConfusionCounts& counts) {
  std::vector<double> shares;
  for (size_t k = 0; k < counts.size(); ++k) {
    const int64_t images = total(counts[k]);
    shares.push_back(images > 0 ? static_cast<double>(counts[k][k]) / static_cast<double>(images)
                                : std::numeric_limits<double>::quiet_NaN());
  }
  return shares;
}

std::string matrix_html(const ConfusionCounts& counts, const std::vector<std::string>& classes) {
  const Layout layout(counts.size());
  std::string svg = fmt::format(
      R"(<svg class="matrix" style="max-width:{0:.0f}px" viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-labelledby="matrix-title matrix-text"><title id="matrix-title">Confusion matrix</title><desc id="matrix-text">Rows are true classes, columns what the model said.</desc>)",
      layout.width, layout.height);
  svg += fmt::format(R"(<rect class="field" x="{}" y="{}" width="{:.1f}" height="{:.1f}"/>)",
                     layout.left - 1.0, layout.top - 1.0, layout.side + 1.0, layout.side + 1.0);
  svg += names(layout, classes, counts.size());
  for (size_t row = 0; row < counts.size(); ++row) {
    const int64_t images = total(counts[row]);
    for (size_t column = 0; column < counts.size(); ++column) {
      const int64_t count = counts[row][column];
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(images);
      const std::string tooltip =
          fmt::format("{} taken for {}: {} of {} ({:.1f} %)", class_name(classes, row),
                      class_name(classes, column), count, images, 100.0 * share);
      svg += cell(layout, row, column, count, share, tooltip);
    }
  }
  return "<figure><figcaption>Rows are true classes, columns what the model said; a row is shaded "
         "by its shares.</figcaption>" +
         svg + "</svg></figure>\n";
}

std::string pairs_html(const ConfusionCounts& counts, const std::vector<std::string>& classes) {
  const std::vector<ConfusedPair> pairs = confused_pairs(counts, kPairs);
  if (pairs.empty()) return "<p>No image was taken for another class.</p>\n";
  std::string items;
  for (const ConfusedPair& pair : pairs) {
    const auto side = [&](size_t truth, size_t said, int64_t count) {
      return fmt::format("{} of {} <b>{}</b> taken for <b>{}</b>", thousands(count),
                         thousands(total(counts[truth])),
                         escape_html(shorten(class_name(classes, truth), 40)),
                         escape_html(shorten(class_name(classes, said), 40)));
    };
    items += "<li>" + side(pair.first, pair.second, pair.forth);
    if (pair.back > 0) {
      items += fmt::format(", {} of {} the other way", thousands(pair.back),
                           thousands(total(counts[pair.second])));
    }
    items += "</li>\n";
  }
  return "<ol>\n" + items + "</ol>\n";
}

std::string classes_html(const ConfusionCounts& counts, const std::vector<std::string>& classes) {
  const std::vector<double> shares = class_accuracies(counts);
  std::vector<size_t> order;
  for (size_t k = 0; k < shares.size(); ++k) {
    if (std::isfinite(shares[k])) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return shares[a] < shares[b]; });
  std::string body = "<div class=\"classes\">\n";
  for (const size_t k : order) {
    const std::string name = class_name(classes, k);
    body += fmt::format(
        "<div class=\"class\"><span title=\"{}\">{}</span><div class=\"bar\">"
        "<i style=\"width:{:.1f}%\"></i></div><span>{}</span></div>\n",
        escape_html(name), escape_html(shorten(name, 40)), 100.0 * shares[k],
        percent(shares[k]));
  }
  return body + "</div>\n";
}

}  // namespace diagrad::train
