#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace diagrad {

inline constexpr int64_t kMostReportBytes = int64_t{1} << 26;

/// What a file of a run folder holds; empty for one that is missing, larger than `most` bytes or no
/// regular file: a pipe would never end.
std::string file_text(const std::string& path, int64_t most = kMostReportBytes);

/// Its value; discarded where the file holds no JSON.
nlohmann::json file_json(const std::string& path);

}  // namespace diagrad
