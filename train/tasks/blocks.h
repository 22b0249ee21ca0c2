#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace diagrad::train {

// What a task shows of an evaluation, as plain data. `report` draws it, `eval` prints it, and what
// has a key stands in the JSON of both.

/// Numbers of one kind, a row each.
struct Column {
  std::string name = {};
  std::string key = {};             ///< in JSON: the list of its values; empty: not there
  bool is_share = false;            ///< lies in [0, 1] and is shown in percent; else a count
  std::vector<double> values = {};  ///< NaN: none
};

struct Table {
  std::string title = {};
  std::string note = {};  ///< one or two sentences above it
  std::string row_heading = {};
  std::vector<std::string> row_names = {};
  std::vector<Column> columns = {};
  bool is_sorted = false;  ///< a report shows the rows by their last column, least first, as bars
};

/// A square matrix of counts, such as a confusion matrix.
struct Matrix {
  std::string title = {};
  std::string note = {};
  std::string key = {};          ///< in JSON: the list of its rows
  std::string row_heading = {};  ///< "true class"
  std::string column_heading = {};
  std::vector<std::string> names = {};  ///< of rows and columns alike
  std::vector<std::vector<int64_t>> counts = {};
};

/// Lines over a common horizontal axis.
struct Series {
  struct Line {
    std::string name = {};
    std::vector<double> y = {};  ///< NaN: a gap
  };
  std::string title = {};
  std::string note = {};
  std::string x_heading = {};
  std::vector<double> x = {};
  std::vector<Line> lines = {};
};

/// Images with captions.
struct Gallery {
  /// "predicted cat", with a bar of the share.
  struct Caption {
    std::string label = {};
    std::string text = {};
    double share = -1.0;  ///< in [0, 1]; negative: no bar
    double rest = -1.0;   ///< 1 - share, exact where that rounds to 0
    bool is_good = true;
  };
  struct Image {
    std::string description = {};  ///< for those who cannot see it
    std::string source = {};       ///< the file, or the record in it
    int64_t index = 0;             ///< in the data set
    int64_t height = 0;
    int64_t width = 0;
    int64_t channels = 0;
    std::vector<uint8_t> pixels = {};  ///< [H,W,C]
    std::vector<Caption> captions = {};
  };
  std::string title = {};
  std::string note = {};
  std::vector<Image> images = {};
};

using Block = std::variant<Table, Matrix, Series, Gallery>;

/// {"per_class":[...],"confusion":[[...]]}: a JSON object of what has a key; NaN becomes null.
std::string keyed_json(const std::vector<Block>& blocks);

}  // namespace diagrad::train
