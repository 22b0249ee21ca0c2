#include "diagrad/train/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "diagrad/core/text.h"
#include "diagrad/train/report/html.h"

namespace diagrad::train {
namespace {

// In units of the image, which is scaled to its column; the text grows on a phone.
constexpr double kWidth = 480.0;
constexpr double kHeight = 272.0;
constexpr double kLeft = 58.0;
constexpr double kRight = kWidth - 92.0;
constexpr double kTop = 14.0;
constexpr double kBottom = kHeight - 46.0;
constexpr double kLabelGap = 35.0;  // two lines of text
constexpr double kLargestRatio = 40.0;
constexpr double kLargest = 1e100;  // what no training gives, and axes need not hold

bool is_faint(const ChartSeries& series) {
  return series.style == "faint";
}

/// Where values lie in the image.
class Axes {
 public:
  explicit Axes(const Chart& chart) : x_max_(std::max(chart.x_max, 1e-9)) {
    const bool only_faint = std::all_of(
        chart.series.begin(), chart.series.end(),
        [](const ChartSeries& series) { return is_faint(series) || series.points.empty(); });
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const ChartSeries& series : chart.series) {
      if (is_faint(series) && !only_faint) continue;
      for (const ChartPoint& point : series.points) {
        if (!std::isfinite(point.y) || std::abs(point.y) > kLargest) continue;
        low = std::min(low, point.y);
        high = std::max(high, point.y);
      }
    }
    if (low > high) low = high = 0.0;
    logarithmic = chart.may_be_logarithmic && low > 0.0 && high / low > kLargestRatio;
    if (logarithmic) {
      set_logarithmic(low, high);
    } else {
      set_linear(low, high, chart.percent);
    }
  }

  double x(double value) const { return kLeft + (kRight - kLeft) * value / x_max_; }
  /// Of a tick.
  double level(double value) const {
    return kBottom - (kBottom - kTop) * (value - low_) / (high_ - low_);
  }
  double y(double value) const { return level(logarithmic ? std::log10(value) : value); }
  bool shows(double value) const {
    return std::isfinite(value) && std::abs(value) <= kLargest && (!logarithmic || value > 0.0);
  }

  bool logarithmic = false;
  std::vector<double> ticks;  ///< logarithms where the axis has them

 private:
  /// From 0, but for shares that lie close together far from it.
  void set_linear(double low, double high, bool share) {
    if (!share || low < 0.5 || high - low > 0.4) low = std::min(low, 0.0);
    if (share && high - low < 0.05) low = std::max(0.0, high - 0.05);
    if (high <= low) high = low + 1e-3;
    ticks = axis_ticks(low, high, 5);
    low_ = ticks.front();
    high_ = ticks.back();
  }

  void set_logarithmic(double low, double high) {
    low_ = std::floor(std::log10(low) + 1e-9);
    high_ = std::ceil(std::log10(high) - 1e-9);
    const double step = std::max(1.0, std::ceil((high_ - low_) / 6.0));
    for (double power = low_; power < high_ + step - 1e-9; power += step) ticks.push_back(power);
    high_ = ticks.back();
  }

  double x_max_;
  double low_ = 0.0;
  double high_ = 1.0;
};

std::string tick_text(const Chart& chart, const Axes& axes, double tick) {
  if (chart.percent) return fmt::format("{:.4g} %", 100.0 * tick);
  if (axes.logarithmic) return fmt::format("{:g}", std::pow(10.0, tick));
  return fmt::format("{:.4g}", std::abs(tick) < 1e-12 ? 0.0 : tick);
}

std::string text_at(double x, double y, const char* anchor, std::string_view text,
                    std::string_view style = "tick") {
  return fmt::format(R"(<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", style,
                     x, y, anchor, escape_html(text));
}

std::string grid(const Chart& chart, const Axes& axes) {
  std::string svg;
  for (const double tick : axes.ticks) {
    const double y = axes.level(tick);
    svg += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft,
                       kRight, y, y);
    svg += text_at(kLeft - 8.0, y + 4.5, "end", tick_text(chart, axes, tick));
  }
  for (const double tick : axis_ticks(0.0, chart.x_max, 5)) {
    if (tick > chart.x_max * (1.0 + 1e-9) || std::floor(tick) != tick) continue;
    svg += fmt::format(R"(<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>)",
                       axes.x(tick), kBottom, kBottom + 4.0);
    svg += text_at(axes.x(tick), kBottom + 19.0, "middle", thousands(std::llround(tick)));
  }
  svg += fmt::format(R"(<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>)", kLeft, kRight,
                     kBottom, kBottom);
  return svg + text_at((kLeft + kRight) / 2.0, kHeight - 7.0, "middle", chart.x_name);
}

/// The words stand where lines are rare: shares grow, losses fall.
std::string marks(const Chart& chart, const Axes& axes) {
  std::string svg;
  double y = chart.percent ? kBottom - 8.0 : kTop + 12.0;
  for (const ChartMark& mark : chart.marks) {
    const double x = axes.x(std::min(mark.x, chart.x_max));
    const bool left = x > (kLeft + kRight) / 2.0;
    svg += fmt::format(R"(<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>)", x,
                       kTop, kBottom);
    svg += text_at(x + (left ? -6.0 : 6.0), y, left ? "end" : "start", mark.text, "tick halo");
    y += chart.percent ? -18.0 : 18.0;
  }
  return svg;
}

std::string line(const ChartSeries& series, const Axes& axes) {
  std::string path;
  bool pen_down = false;
  for (const ChartPoint& point : series.points) {
    if (axes.shows(point.y)) {
      path +=
          fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", axes.x(point.x), axes.y(point.y));
    }
    pen_down = axes.shows(point.y);
  }
  return path.empty() ? "" : fmt::format(R"(<path class="line {}" d="{}"/>)", series.style, path);
}

std::string dots(const ChartSeries& series, const Axes& axes) {
  constexpr size_t kFew = 40;
  std::string svg;
  if (!series.has_dots || series.points.size() > kFew) return svg;
  for (const ChartPoint& point : series.points) {
    if (!axes.shows(point.y)) continue;
    svg += fmt::format(
        R"(<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}</title></circle>)",
        series.style, axes.x(point.x), axes.y(point.y), escape_html(point.tooltip));
  }
  return svg;
}

/// The last point of a line that can be shown; null for none.
const ChartPoint* last_shown(const ChartSeries& series, const Axes& axes) {
  for (auto point = series.points.rbegin(); point != series.points.rend(); ++point) {
    if (axes.shows(point->y)) return &*point;
  }
  return nullptr;
}

/// Names and last values at the ends of the lines, moved apart where they would overlap.
std::string labels(const Chart& chart, const Axes& axes) {
  std::vector<const ChartSeries*> named;
  std::vector<double> places;
  for (const ChartSeries& series : chart.series) {
    const ChartPoint* last = series.name.empty() ? nullptr : last_shown(series, axes);
    if (last == nullptr) continue;
    named.push_back(&series);
    places.push_back(axes.y(last->y));
  }
  places = spread_apart(places, kLabelGap, kTop + 10.0, kBottom - 10.0);
  std::string svg;
  for (size_t i = 0; i < named.size(); ++i) {
    const std::string style = "label " + named[i]->style;
    svg += text_at(kRight + 9.0, places[i] - 3.0, "start", named[i]->name, style);
    svg += text_at(kRight + 9.0, places[i] + 13.0, "start", named[i]->value, style + " strong");
  }
  return svg;
}

std::string description(const Chart& chart, const Axes& axes) {
  std::string text;
  for (const ChartSeries& series : chart.series) {
    const auto first = std::find_if(series.points.begin(), series.points.end(),
                                    [&](const ChartPoint& point) { return axes.shows(point.y); });
    if (series.name.empty() || first == series.points.end()) continue;
    text += fmt::format("{}: from {} to {}. ", series.name,
                        chart.percent ? exact_percent(first->y) : fmt::format("{:.4g}", first->y),
                        series.value);
  }
  return text;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  // Far from 0 a step must still be more than rounding.
  const double least = std::max(1e-12, 1e-9 * std::max(std::abs(low), std::abs(high)));
  const double raw = std::max(high - low, least) / std::max(count, 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double rest = raw / power;
  const double step = power * (rest <= 1.0 ? 1.0 : rest <= 2.0 ? 2.0 : rest <= 5.0 ? 5.0 : 10.0);
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9);
  const double last = std::ceil(high / step - 1e-9);
  for (double tick = first; tick <= last; tick += 1.0) ticks.push_back(tick * step);
  if (ticks.size() < 2) ticks.push_back(ticks.front() + step);
  return ticks;
}

std::vector<double> spread_apart(const std::vector<double>& places, double gap, double low,
                                 double high) {
  std::vector<size_t> order(places.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return places[a] < places[b]; });
  std::vector<double> result(places.size());
  double floor = low;
  for (const size_t i : order) {
    result[i] = std::max(places[i], floor);
    floor = result[i] + gap;
  }
  double ceiling = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    result[*i] = std::min(result[*i], ceiling);
    ceiling = result[*i] - gap;
  }
  return result;
}

std::string chart_html(const Chart& chart) {
  const Axes axes(chart);
  const std::string id = escape_html(chart.id);
  const std::string title = escape_html(chart.title);
  std::string svg = fmt::format(
      R"(<svg viewBox="0 0 {0} {1}" role="img" aria-labelledby="{2}-title {2}-text"><title id="{2}-title">{3}</title><desc id="{2}-text">{4}</desc>)",
      kWidth, kHeight, id, title, escape_html(description(chart, axes)));
  svg += fmt::format(
      R"(<clipPath id="{}-clip"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>)", id,
      kLeft, kTop - 3.0, kRight - kLeft + 3.0, kBottom - kTop + 4.0);
  svg += grid(chart, axes);
  svg += fmt::format(R"svg(<g clip-path="url(#{}-clip)">)svg", id);
  for (const ChartSeries& series : chart.series) svg += line(series, axes);
  svg += "</g>" + marks(chart, axes);
  for (const ChartSeries& series : chart.series) svg += dots(series, axes);
  svg += labels(chart, axes) + "</svg>";
  std::string note = axes.logarithmic ? "logarithmic axis" : "";
  if (!chart.note.empty()) note += (note.empty() ? "" : "; ") + chart.note;
  return fmt::format("<figure class=\"chart\"><figcaption><b>{}</b> {}</figcaption>{}</figure>\n",
                     title, escape_html(note), svg);
}

}  // namespace diagrad::train
