#pragma once

#include <string>
#include <vector>

namespace diagrad::train {

struct ChartPoint {
  double x = 0.0;
  double y = 0.0;            ///< a value that is not finite makes a gap
  std::string tooltip = {};  ///< empty: none
};

struct ChartSeries {
  std::string name = {};   ///< stands at the end of the line; empty: no label
  std::string value = {};  ///< of the last point, under the name
  std::string style = {};  ///< class of the style sheet: train, test, averaged, faint
  std::vector<ChartPoint> points = {};
  bool has_dots = false;  ///< shows the points where they are few
};

/// A vertical line with a word to it.
struct ChartMark {
  double x = 0.0;
  std::string text = {};
};

/// Lines over steps or epochs.
struct Chart {
  std::string id = {};  ///< of the elements that name it, unique in the page
  std::string title = {};
  std::string note = {};    ///< small print beside the title; may be empty
  std::string x_name = {};  ///< what the horizontal axis counts
  double x_max = 1.0;       ///< the axis runs from 0
  bool percent = false;     ///< y are shares
  /// The first values of a bad run can be a hundred times the others: a range above 40 to 1 is
  /// drawn over powers of ten, and the title says so.
  bool may_be_logarithmic = false;
  std::vector<ChartSeries> series = {};
  std::vector<ChartMark> marks = {};
};

/// A <figure> with an inline SVG, every line named at its end; for those who cannot see it, a
/// description with the first and last numbers. All texts are escaped here. Series named "faint"
/// stretch the y axis only where there is no other.
std::string chart_html(const Chart& chart);

/// Round numbers from at most `low` to at least `high`, about `count` of them: 1, 2 or 5 times a
/// power of ten apart. Never empty.
std::vector<double> axis_ticks(double low, double high, int count);

/// Moves places apart to `gap` at least, in [low, high] as far as they fit, in their order.
std::vector<double> spread_apart(const std::vector<double>& places, double gap, double low,
                                 double high);

}  // namespace diagrad::train
