#pragma once

namespace diagrad::train {

/// The style sheet of all report pages.
extern const char* const kReportStyle;

}  // namespace diagrad::train
