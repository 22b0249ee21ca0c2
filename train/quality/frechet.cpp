#include "diagrad/train/quality/frechet.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <vector>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

using Matrix = Eigen::MatrixXd;

Matrix covariance_of(const Moments& moments) {
  const std::vector<double> values = moments.covariance();
  return Eigen::Map<const Matrix>(values.data(), moments.width(), moments.width());
}

/// The symmetric root; eigenvalues below 0, which only rounding makes, count as 0.
Matrix root(const Matrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
  DG_ASSERT(solver.info() == Eigen::Success, "no eigenvalues of a matrix of {}", symmetric.rows());
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

/// tr((A B^2 A)^(1/2)) for symmetric A and B: the sum of the singular values of M = A B. They are
/// the positive eigenvalues of [0 M; M^T 0]. Those of A B^2 A are their squares, which would lose
/// half of the digits of the small ones.
double trace_of_root(const Matrix& a, const Matrix& b) {
  const Eigen::Index width = a.rows();
  Matrix both = Matrix::Zero(2 * width, 2 * width);
  both.topRightCorner(width, width) = a * b;
  both.bottomLeftCorner(width, width) = both.topRightCorner(width, width).transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(both, Eigen::EigenvaluesOnly);
  DG_ASSERT(solver.info() == Eigen::Success, "no eigenvalues of a matrix of {}", both.rows());
  return solver.eigenvalues().cwiseMax(0.0).sum();
}

}  // namespace

double frechet_distance(const Moments& a, const Moments& b) {
  DG_CHECK(a.width() == b.width(), "frechet: moments of {} and {} features", a.width(), b.width());
  double distance = 0.0;
  for (size_t i = 0; i < a.mean().size(); ++i) {
    const double difference = a.mean()[i] - b.mean()[i];
    distance += difference * difference;
  }
  const Matrix first = covariance_of(a);
  const Matrix second = covariance_of(b);
  distance += first.trace() + second.trace() - 2.0 * trace_of_root(root(first), root(second));
  return std::max(distance, 0.0);
}

}  // namespace diagrad::train
