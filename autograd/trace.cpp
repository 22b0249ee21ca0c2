#include "diagrad/autograd/trace.h"

#include <algorithm>

#include "diagrad/autograd/accumulate.h"

namespace diagrad::autograd {

GradientTrace::GradientTrace() : before_(set_edge_listener(this)) {}
GradientTrace::~GradientTrace() {
  set_edge_listener(before_);
}

void GradientTrace::on_edge(const Node& /*consumer*/, const Edge& edge, const CallLabel& call,
                            const Tensor& gradient) {
  if (!edge.node->is_leaf()) return;
  auto entry = std::find_if(leaves_.begin(), leaves_.end(),
                            [&](const LeafShares& item) { return item.leaf == edge.node; });
  if (entry == leaves_.end()) entry = leaves_.insert(leaves_.end(), {edge.node, {}});
  auto share = std::find_if(entry->shares.begin(), entry->shares.end(),
                            [&](const Contribution& item) { return item.call == call; });
  if (share == entry->shares.end()) {
    entry->shares.push_back({call, gradient.clone()});
    entry->shares.back().gradient.set_lost_graph(LostGraph::gradient);
    return;
  }
  add_gradients(share->gradient, gradient, share->gradient);
}

std::vector<GradientTrace::Contribution> GradientTrace::contributions(const Tensor& leaf) const {
  const Edge edge = producer_of(leaf);
  const auto entry = std::find_if(leaves_.begin(), leaves_.end(),
                                  [&](const LeafShares& item) { return item.leaf == edge.node; });
  if (entry == leaves_.end()) return {};
  std::vector<Contribution> result = entry->shares;
  std::stable_sort(result.begin(), result.end(), [](const Contribution& a, const Contribution& b) {
    return a.call.call < b.call.call;
  });
  return result;
}

}  // namespace diagrad::autograd
