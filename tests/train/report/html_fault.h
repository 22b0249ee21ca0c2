#pragma once

#include <string>

namespace diagrad::testing {

/// What is wrong with the tags of a page (a doctype and a line end before it are skipped); empty
/// where each one is closed in its order and every attribute is quoted.
std::string html_fault(const std::string& html);

}  // namespace diagrad::testing
