#pragma once

#include <string>
#include <vector>

#include "diagrad/train/report/block_file.h"

namespace diagrad::train {

/// The blocks in order, each under its title; tables that follow a matrix stand beside it. All
/// texts are escaped here.
std::string blocks_html(const std::vector<ShownBlock>& blocks);

/// A <figure> with the counts, rows shaded by their shares. With many rows the numbers, and with
/// more the names, are only in the tooltips. `id` is unique in the page.
std::string matrix_html(const Matrix& matrix, const std::string& id);
/// Sorted ones as bars, the others as a <table>; of more than 1000 rows the first ones.
std::string table_html(const Table& table);
std::string gallery_html(const ShownGallery& gallery);
std::string series_html(const Series& series, const std::string& id);

}  // namespace diagrad::train
