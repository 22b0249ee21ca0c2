#include "diagrad/train/report/style.h"

namespace diagrad::train {

// Blue and orange stay apart for colour-blind readers; one set for light and one for dark screens,
// each with a contrast of 4.5 and more for text.
const char* const kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b2330; --soft: #576273; --rule: #e2e6ec;
  --train: #2459d6; --test: #b84a06; --averaged: #04734f; --faint: #b9c8ec;
  --right: #2459d6; --wrong: #d9571a; --strong: #ffffff; --field: #eff1f5;
  --good: #04734f; --bad: #b42318; --bad-field: #fdecea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141a; --card: #191f28; --ink: #e7ebf1; --soft: #9ca7b6; --rule: #2d3541;
    --train: #7fb0ff; --test: #f7a562; --averaged: #4fd0a0; --faint: #3c527f;
    --right: #6a9dfa; --wrong: #ee8748; --strong: #0d131c; --field: #222a35;
    --good: #4fd0a0; --bad: #ff9385; --bad-field: #3a1d1c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 20px 44px; }
header p { margin: 0; color: var(--soft); }
h1 { font-size: 26px; line-height: 1.25; margin: 2px 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 12px; }
h3 { font-size: 14px; font-weight: 600; color: var(--soft); margin: 20px 0 6px; }
h3:first-child { margin-top: 0; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 18px 20px; margin-top: 16px; min-width: 0; }
.brand { font-weight: 600; letter-spacing: .04em; }
.phase { font-weight: 600; margin-right: 8px; }
.phase.good { color: var(--good); } .phase.odd { color: var(--test); }
.phase.bad { color: var(--bad); }
.ending { border-left: 4px solid var(--test); background: var(--card); border-radius: 8px;
  padding: 10px 16px; margin-top: 16px; }
.ending.bad { border-color: var(--bad); background: var(--bad-field); }
.ending p { margin: 2px 0; overflow-wrap: anywhere; }
.headline { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 18px;
  margin: 18px 0 0; }
.headline b { font-size: 52px; line-height: 1.1; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.headline span { flex: 1 1 300px; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-top: 16px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 11px 15px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { display: block; color: var(--soft); font-size: 13px; line-height: 1.4; }
.series { max-width: 600px; margin-bottom: 18px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 22px 26px; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: 13px; margin-bottom: 4px; }
figcaption b { color: var(--ink); font-size: 14.5px; margin-right: 6px; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.mark { stroke: var(--soft); stroke-dasharray: 3 4; }
.tick { fill: var(--soft); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.halo { paint-order: stroke; stroke: var(--card); stroke-width: 5px; stroke-linejoin: round; }
.label { font-size: 12.5px; font-variant-numeric: tabular-nums; }
.label.strong { font-weight: 600; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.faint { stroke-width: 1.3; }
path.train { stroke: var(--train); } path.test { stroke: var(--test); }
path.averaged { stroke: var(--averaged); stroke-dasharray: 6 4; }
path.faint { stroke: var(--faint); }
circle.train, text.train { fill: var(--train); } circle.test, text.test { fill: var(--test); }
circle.averaged, text.averaged { fill: var(--averaged); }
.matrix-row { display: grid; grid-template-columns: minmax(0, 1.75fr) minmax(0, 1fr);
  gap: 20px 28px; }
.matrix .field { fill: var(--field); }
.right { fill: var(--right); } .wrong { fill: var(--wrong); }
.count { fill: var(--ink); font-size: 12.5px; } .count.strong { fill: var(--strong); }
.classes { columns: 250px auto; column-gap: 28px; }
.class { break-inside: avoid; display: grid; grid-template-columns: minmax(0, 7.5em) 1fr 4.2em;
  gap: 10px; align-items: center; font-size: 13.5px; }
.class span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.class span:last-child { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { height: 9px; border-radius: 5px; background: var(--field); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--right); }
.words { margin: 0 0 12px; color: var(--soft); font-size: 13.5px; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr));
  gap: 18px 16px; }
.sample { break-inside: avoid; font-size: 13px; }
.mount { display: flex; justify-content: center; padding: 8px 0; margin-bottom: 6px;
  background: var(--field); border-radius: 8px; }
.mount img { max-width: 100%; }
.pixels { image-rendering: pixelated; }
.words.size { margin: 14px 0 0; }
.answer { display: block; color: var(--soft); line-height: 1.4; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.answer b { color: var(--ink); font-weight: 600; }
.chance { display: grid; grid-template-columns: 1fr 4.6em; gap: 6px; align-items: center;
  margin-bottom: 3px; }
.chance em { font-style: normal; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.chance .bar { height: 6px; }
.bar.bad i { background: var(--wrong); }
ol { margin: 0; padding-left: 1.4em; font-size: 14px; overflow-wrap: anywhere; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  gap: 0 16px; align-items: start; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td, th { padding: 3px 10px 3px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
td { overflow-wrap: anywhere; }
th { font-weight: 400; color: var(--soft); }
th[scope=row] { width: 9.5em; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
tr.group th { color: var(--ink); font-weight: 600; padding-top: 12px; }
td.changed { font-weight: 600; }
.wide { overflow-x: auto; }
.figures td, .figures th { text-align: right; white-space: nowrap; padding: 3px 12px 3px 0;
  font-variant-numeric: tabular-nums; }
details + details { margin-top: 10px; }
summary { cursor: pointer; padding: 3px 0; }
code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
code span { display: inline-block; max-width: 100%; }
a { color: var(--train); }
footer { color: var(--soft); font-size: 13px; margin-top: 18px; }
@media (max-width: 760px) {
  .matrix-row { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 520px) {
  main { padding: 18px 12px 32px; }
  section { padding: 14px 14px; }
  h1 { font-size: 22px; }
  .headline b { font-size: 42px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 8px; }
  .tick, .halo { paint-order: stroke; stroke: var(--card); stroke-width: 5px; stroke-linejoin: round; }
.label { font-size: 15px; }
  .matrix .tick, .count { font-size: 16px; }
  th[scope=row] { width: 7em; }
}
@media print {
  body { background: none; } section, .tile { break-inside: avoid; }
}
)css";

}  // namespace diagrad::train
