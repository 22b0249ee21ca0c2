#include <algorithm>
#include <string>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/dia_cell.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/lstm_gates.h"

namespace diagrad::nn {
namespace {

struct Settings {
  int64_t hidden;
  int64_t cells;
  GateOutput output;
  double dropout;  ///< on the input of every stacked cell but the first
};

GateOutput output_of(const std::string& word) {
  if (word == "tanh") return GateOutput::tanh;
  return word == "relu" ? GateOutput::relu : GateOutput::sigmoid;
}

Settings read(const UnitSpec& unit) {
  const OptionValues& options = unit.options;
  return {std::max<int64_t>(1, unit.channels / options.get_int("reduction")),
          options.get_int("cells"), output_of(options.get_choice("output")),
          options.get_float("dropout")};
}

/// The next state from the input y and the state, all [B,C].
class Cell : public Module {
 public:
  virtual LstmState next(const Tensor& y, const LstmState& state, GateOutput output) = 0;
};

/// u = x_up relu(x_down y) + h_up relu(h_down h): the first cell's two bottlenecks.
class BottleneckCell : public Cell {
 public:
  BottleneckCell(int64_t channels, int64_t hidden, RandomStream& random)
      : x_down_(add("x_down", Linear({channels, hidden}, random))),
        x_up_(add("x_up", Linear({hidden, 4 * channels}, random))),
        h_down_(add("h_down", Linear({channels, hidden}, random))),
        h_up_(add("h_up", Linear({hidden, 4 * channels}, random))) {}

  LstmState next(const Tensor& y, const LstmState& state, GateOutput output) override {
    return dia_cell(y, state, side(*x_down_, *x_up_), side(*h_down_, *h_up_), {.output = output});
  }

 private:
  static DiaBottleneck side(const Linear& down, const Linear& up) {
    return {down.weight(), down.bias(), up.weight(), up.bias()};
  }

  std::shared_ptr<Linear> x_down_, x_up_, h_down_, h_up_;
};

/// u = x y + h h: the cells stacked on the first one.
class PlainCell : public Cell {
 public:
  PlainCell(int64_t channels, RandomStream& random)
      : x_(add("x", Linear({channels, 4 * channels}, random))),
        h_(add("h", Linear({channels, 4 * channels}, random))) {}

  LstmState next(const Tensor& y, const LstmState& state, GateOutput output) override {
    return lstm_gates(diagrad::add(x_->forward(y), h_->forward(state.h)), state.c,
                      {.output = output});
  }

 private:
  std::shared_ptr<Linear> x_, h_;
};

/// The cells by number, for names like `cells.0.x_down.weight`.
class CellList : public Module {
 public:
  CellList(int64_t channels, const Settings& settings, RandomStream& random) {
    cells.push_back(add("0", std::make_shared<BottleneckCell>(channels, settings.hidden, random)));
    for (int64_t i = 1; i < settings.cells; ++i) {
      cells.push_back(add(std::to_string(i), std::make_shared<PlainCell>(channels, random)));
    }
  }
  std::vector<std::shared_ptr<Cell>> cells;
};

/// An LSTM over depth whose state h, of the last cell, is the attention. The state holds (h, c) of
/// each cell in turn; it starts at zero.
class DiaLstm : public Attention {
 public:
  DiaLstm(int64_t channels, const Settings& settings, RandomStream& random)
      : output_(settings.output),
        dropout_(settings.dropout),
        list_(add("cells", CellList(channels, settings, random))) {}

 protected:
  Tensor scale(const ChannelStats& stats, State& state) override {
    const Tensor& pooled = stats.mean();
    const size_t count = list_->cells.size();
    if (state.tensors.empty()) state.tensors.assign(2 * count, Tensor::zeros_like(pooled));
    Tensor input = pooled;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) input = dropped(input);
      Tensor& h = state.tensors[2 * i];
      Tensor& c = state.tensors[2 * i + 1];
      const LstmState next = list_->cells[i]->next(input, {h, c}, output_);
      h = next.h;
      c = next.c;
      input = h;
    }
    return input;
  }

 private:
  Tensor dropped(const Tensor& x) const {
    if (!is_training() || dropout_ == 0.0) return x;
    const RandomScope::Draw draw = RandomScope::next();
    return diagrad::dropout(x, {.p = dropout_, .seed = draw.seed, .stream = draw.stream});
  }

  GateOutput output_;
  double dropout_;
  std::shared_ptr<CellList> list_;
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "dia-lstm",
     .help = "an LSTM shared by the blocks of a stage; its state is the attention",
     .citation = "Huang et al., arXiv 2210.16101; \"DIANet\", AAAI 2020 (dia_resnet.py)",
     .options =
         {int_option("reduction", 4, 1, 4096, "bottleneck width is C / reduction, at least 1"),
          int_option("cells", 1, 1, 16, "stacked cells; the second and later have no bottleneck"),
          choice_option("output", {"sigmoid", "tanh", "relu"}, "nonlinearity of the cell's output"),
          float_option("dropout", 0.1, 0.0, 1.0, "on the input of each cell but the first")},
     .carries_state = true,
     .sharing = Sharing::stage,
     .make =
         [](const UnitSpec& unit, RandomStream& random) {
           return std::make_shared<DiaLstm>(unit.channels, read(unit), random);
         },
     .parameters =
         [](const UnitSpec& unit) {
           const Settings settings = read(unit);
           const int64_t c = unit.channels;
           const int64_t m = settings.hidden;
           return 2 * (c * m + m + 4 * c * m + 4 * c) +
                  (settings.cells - 1) * 2 * (4 * c * c + 4 * c);
         }});

}  // namespace
}  // namespace diagrad::nn
