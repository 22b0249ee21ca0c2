#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/nn/attention/attention.h"

/// The cells of the matrix: every variant x sharing x placement x model family, and every value of
/// a variant's options. What is registered is visited; nothing is listed but one small net per
/// family.
namespace diagrad::models::matrix {

inline constexpr int64_t kClasses = 3;
inline constexpr int64_t kBlocks = 2;  ///< per stage, so that a shared unit is called twice

/// The smallest net of a family with two blocks per stage.
struct Family {
  const char* name;
  const char* model;
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<int64_t> channels;  ///< at pre_add, per stage
  bool bottleneck;
};

struct Cell {
  const Family& family;
  const nn::AttentionInfo& info;
  nn::Sharing sharing;
  nn::Placement placement;
  std::string attention;  ///< as a user types it

  std::string text() const;
  std::shared_ptr<nn::Module> make(uint64_t seed) const;
  /// A unit with a memory that serves one call sees the empty state only: the weights that read
  /// the state have no gradient, by the mathematics.
  bool state_is_idle() const;
};

/// Calls `visit` for every cell: the default placement with every sharing, the others shared by the
/// stage, other values of options in one net.
void for_each_cell(const std::function<void(const Cell&)>& visit);

/// Images [B,H,W,C] with values in [-1, 1), always the same for a shape.
Tensor images(const Shape& shape, DType dtype);

}  // namespace diagrad::models::matrix
