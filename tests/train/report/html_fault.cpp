#include "tests/train/report/html_fault.h"

#include <vector>

#include "tests/support/pattern.h"

namespace diagrad::testing {

std::string html_fault(const std::string& html) {
  const std::string tag = R"(<(/?)([A-Za-z0-9]+)((?: [A-Za-z0-9:-]+="[^"<]*")*)(/?)>)";
  std::vector<std::string> open;
  size_t place = html.find('\n');  // behind the doctype
  for (; place < html.size(); ++place) {
    if (html[place] == '>') return "a > outside a tag: " + html.substr(place, 60);
    if (html[place] != '<') continue;
    const std::string rest = html.substr(place, html.find('>', place) - place + 1);
    if (!matches(rest, tag)) return "no tag: " + rest.substr(0, 200);
    const auto match = all_matches(rest, tag).front();
    place += rest.size() - 1;
    const std::string& name = match[2];
    if (name == "style") {
      place = html.find("</style>", place) + 7;
    } else if (match[1].length() > 0) {
      if (open.empty() || open.back() != name) return "closed in the wrong order: " + name;
      open.pop_back();
    } else if (match[4].length() == 0 && name != "meta") {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "not closed: " + open.back();
}

}  // namespace diagrad::testing
