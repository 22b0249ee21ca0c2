#pragma once

#include <memory>
#include <vector>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/autograd/engine.h"
#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

/// While alive, keeps the share of each call of a shared unit in the gradients of the leaves, for
/// backward passes of the current thread: for a parameter p used by calls t = 1..T,
/// contributions(p) holds G_t with sum_t G_t = dL/dp. Shares are keyed by the call label of the
/// operation that used p (CallScope), also where p passes a cast or a reshape shared by all calls.
/// Gradients from operations outside every scope form one share with an undefined label. Shares are
/// what the calls sent: hooks of p, and of what lies between the calls and p, change its gradient
/// and not the shares.
class GradientTrace : private EdgeListener {
 public:
  struct Contribution {
    CallLabel call;
    Tensor gradient;
  };

  GradientTrace();
  ~GradientTrace() override;
  GradientTrace(const GradientTrace&) = delete;
  GradientTrace& operator=(const GradientTrace&) = delete;

  /// By call index, one entry per label. Empty when no gradient reached the leaf.
  std::vector<Contribution> contributions(const Tensor& leaf) const;

 private:
  void on_edge(const Node& consumer, const Edge& edge, const CallLabel& call,
               const Tensor& gradient) override;

  struct LeafShares {
    std::shared_ptr<Node> leaf;
    std::vector<Contribution> shares;
  };
  std::vector<LeafShares> leaves_;
  EdgeListener* before_;
};

}  // namespace diagrad::autograd
