#include "diagrad/train/cli/image_size.h"

#include "diagrad/core/error.h"
#include "diagrad/core/option.h"
#include "diagrad/models/registry.h"

namespace diagrad::cli {

Shape parse_input(std::string_view text) {
  constexpr int64_t kLargest = 4096;
  Shape shape;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = rest.find('x');
    shape.push_back(parse_int("--input", rest.substr(0, end)));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  DG_CHECK(shape.rank() == 3, "--input: '{}' is no height x width x channels, e.g. 32x32x3", text);
  for (const int64_t size : shape) {
    DG_CHECK(size >= 1 && size <= kLargest, "--input: {} of '{}' is out of range, use 1 to {}",
             size, text, kLargest);
  }
  return shape;
}

Shape input_of(std::string_view text, const std::string& model) {
  if (!text.empty()) return parse_input(text);
  const Shape& stated = models::find(model).input;
  return stated.empty() ? Shape{32, 32, 3} : stated;
}

}  // namespace diagrad::cli
