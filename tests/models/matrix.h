#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/core/size2.h"
#include "diagrad/nn/attention/attention.h"

/// The cells of the matrix: every variant x sharing x placement that the model offers x model
/// family, and every value of a variant's options. What is registered is visited: variants by the
/// library, families by the files of this folder (<family>_family.cpp).
namespace diagrad::models::matrix {

inline constexpr int64_t kClasses = 3;

/// One call of a unit as it should be, written down by hand for each family.
struct ExpectedCall {
  size_t unit;  ///< its number, in order of first calls
  int64_t channels;
  Size2 size;
  Size2 stride = 1;
};

/// A small model of a family, from images to logits [B, kClasses].
struct Family {
  std::string name;
  std::function<std::shared_ptr<nn::Module>(const std::string& attention,
                                            const std::string& sharing, uint64_t seed)>
      make;
  Shape image;                            ///< [H,W,C]
  Shape other_image;                      ///< of another size that the model takes as well
  std::vector<nn::Placement> placements;  ///< that it offers, its default first
  bool tokens;                            ///< attention gets tokens, among them a class token
  /// All calls of one forward pass, in order of execution.
  std::function<std::vector<ExpectedCall>(nn::Placement, nn::Sharing)> calls;
};

/// `const bool registered = register_family({...});` at namespace scope of the family's file.
bool register_family(Family family);
/// In order of their names.
const std::vector<Family>& families();

struct Cell {
  const Family& family;
  const nn::AttentionInfo& info;
  nn::Sharing sharing;
  nn::Placement placement;
  std::string attention;  ///< as a user types it

  std::string text() const;
  std::shared_ptr<nn::Module> make(uint64_t seed) const;
  std::vector<ExpectedCall> calls() const { return family.calls(placement, sharing); }
  /// What the units are made for, in order of their first calls.
  std::vector<nn::UnitSpec> units() const;
  /// A unit with a memory that serves one call sees the empty state only: the weights that read
  /// the state have no gradient, by the mathematics.
  bool state_is_idle() const;
  /// Images [batch,H,W,C] of the family's size with values in [-1, 1), always the same.
  Tensor images(int64_t batch, DType dtype) const;
  Tensor other_images(int64_t batch) const;
};

/// Calls `visit` for every cell; other values of options, and of the tokens that are pooled, in one
/// net each.
void for_each_cell(const std::function<void(const Cell&)>& visit);

}  // namespace diagrad::models::matrix
