#include "diagrad/train/cli/setting.h"

#include <charconv>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"

namespace diagrad::cli {
namespace {

template <typename T>
bool parse(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  return problem == std::errc() && stop == end;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

class NameReader : public train::OptionVisitor {
 public:
  void visit(const train::OptionInfo& info, std::string&) override { add(info); }
  void visit(const train::OptionInfo& info, int64_t&) override { add(info); }
  void visit(const train::OptionInfo& info, double&) override { add(info); }
  void visit(const train::OptionInfo& info, bool&) override { add(info); }
  void visit(const train::OptionInfo& info, std::vector<std::string>&) override { add(info); }
  void visit(const train::OptionInfo& info, std::vector<int64_t>&) override { add(info); }

  std::vector<std::string> names;

 private:
  void add(const train::OptionInfo& info) { names.emplace_back(info.name); }
};

class Assigner : public train::OptionVisitor {
 public:
  explicit Assigner(const Setting& setting) : setting_(setting) {}
  void visit(const train::OptionInfo& info, std::string& value) override {
    if (matches(info)) value = only();
  }
  void visit(const train::OptionInfo& info, int64_t& value) override {
    if (matches(info)) value = parse_int(setting_.where, only());
  }
  void visit(const train::OptionInfo& info, double& value) override {
    if (matches(info)) value = parse_float(setting_.where, only());
  }
  void visit(const train::OptionInfo& info, bool& value) override {
    if (matches(info)) value = parse_bool(setting_.where, only());
  }
  void visit(const train::OptionInfo& info, std::vector<std::string>& value) override {
    if (matches(info)) value = list();
  }
  void visit(const train::OptionInfo& info, std::vector<int64_t>& value) override {
    if (!matches(info)) return;
    value.clear();
    for (const std::string& text : list()) value.push_back(parse_int(setting_.where, text));
  }

  bool found() const { return found_; }

 private:
  bool matches(const train::OptionInfo& info) {
    const bool same = setting_.name == info.name;
    found_ = found_ || same;
    return same;
  }
  const std::string& only() const {
    DG_CHECK(!setting_.is_list && !setting_.values.empty(), "{}: takes one value, got a list of {}",
             setting_.where, setting_.values.size());
    return setting_.values.back();
  }
  std::vector<std::string> list() const {
    if (setting_.is_list) return setting_.values;
    std::vector<std::string> all;
    for (const std::string& text : setting_.values) {
      for (std::string& part : split(text)) all.push_back(std::move(part));
    }
    return all;
  }

  const Setting& setting_;
  bool found_ = false;
};

}  // namespace

std::vector<std::string> option_names() {
  train::Options options;
  NameReader reader;
  train::visit_options(options, reader);
  return reader.names;
}

void assign(train::Options& options, const Setting& setting) {
  Assigner assigner(setting);
  train::visit_options(options, assigner);
  DG_CHECK(assigner.found(), "{}: there is no option of this name{}", setting.where,
           did_you_mean(setting.name, option_names()));
}

int64_t parse_int(std::string_view where, std::string_view text) {
  int64_t value = 0;
  DG_CHECK(parse(text, value), "{}: '{}' is not an integer", where, text);
  return value;
}

double parse_float(std::string_view where, std::string_view text) {
  double value = 0.0;
  DG_CHECK(parse(text, value) && std::isfinite(value), "{}: '{}' is not a number", where, text);
  return value;
}

bool parse_bool(std::string_view where, std::string_view text) {
  const bool yes = text == "true" || text == "1" || text == "yes";
  DG_CHECK(yes || text == "false" || text == "0" || text == "no", "{}: '{}' is not true or false",
           where, text);
  return yes;
}

}  // namespace diagrad::cli
