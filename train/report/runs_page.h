#pragma once

#include <string>

namespace diagrad::train {

/// The page over several runs that differ in their seed alone, from the text of their runs.json:
/// mean and standard deviation of the accuracies with their number, and a row for each run, linked
/// to its own page. Whatever comes from the text is escaped; values of the wrong type are dashes.
std::string runs_page(const std::string& runs_json);

/// Makes report.html in a folder that holds runs.json. Throws Error(checkpoint) where it cannot be
/// written.
void write_runs_page(const std::string& folder);

}  // namespace diagrad::train
