/** The style sheet of both pages: light and dark, from a telephone to a desk. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1c2421; --soft: #5b6863; --rule: #e3e8e5; --track: #cfe0d8; --page: #f5f7f6; --card: #ffffff;
  --accent: #17795e; --second: #b4541a; --good: #17795e; --bad: #b3261e;
  --loss-0: #e4efe9; --loss-1: #bcdccd; --loss-2: #f6dc9c; --loss-3: #f0b35c; --loss-4: #dd7d3b; --loss-5: #a63a1f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e8eeeb; --soft: #a0aea8; --rule: #2b3531; --track: #2d463c; --page: #101513; --card: #181f1c;
    --accent: #4cc29c; --second: #f0955a; --good: #4cc29c; --bad: #ff8a80;
    --loss-0: #22332b; --loss-1: #2f5a48; --loss-2: #7a6a2c; --loss-3: #a9782f; --loss-4: #cf7136; --loss-5: #ee6a4c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 16px 56px; }
header { margin-bottom: 24px; }
.brand { color: var(--accent); font-weight: 650; letter-spacing: .02em; text-decoration: none; }
h1 { font-size: 26px; line-height: 1.2; margin: 4px 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 12px; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 0 0 8px; max-width: 74ch; }
.soft, figcaption, .note { color: var(--soft); }
figcaption, .note { font-size: 13px; }
figcaption h3 { color: var(--ink); }
table + .note { margin-top: 10px; }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 0; }
.tile, figure, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.tile { padding: 12px 14px; }
.tile dt { color: var(--soft); font-size: 13px; }
.tile dd { margin: 0; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tile dd.note { font-size: 13px; font-weight: 400; }
.figures { display: grid; gap: 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; }
figure { margin: 0; padding: 14px 16px; }
figure.whole { grid-column: 1 / -1; }
.chart { margin-top: 10px; }
.chart svg { display: block; width: 100%; height: auto; }
.chart.narrow { display: none; }
.card { padding: 14px 16px; margin-bottom: 16px; }
.card > :last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 16px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
th:last-child, td:last-child { padding-right: 0; }
.figure { text-align: right; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.good, .bad { font-weight: 600; }
.warning { border-left: 3px solid var(--second); padding: 2px 0 2px 10px; color: var(--ink); }
.swatches { display: flex; flex-wrap: wrap; gap: 2px 12px; margin-top: 6px; }
.swatches span { display: inline-flex; align-items: center; gap: 5px; white-space: nowrap; }
.swatches i { width: 14px; height: 12px; border-radius: 2px; display: inline-block; }
code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
a { color: var(--accent); }
@media (max-width: 820px) {
  main { padding-top: 18px; }
  .figures { grid-template-columns: minmax(0, 1fr); }
  .chart.wide { display: none; } .chart.narrow { display: block; max-width: 420px; }
  figure, .card { padding: 12px; }
  th, td { padding-right: 10px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .tile dd { font-size: 20px; }
}
@media (max-width: 620px) {
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  tr { padding: 8px 0; border-bottom: 1px solid var(--rule); }
  tr:first-child { padding-top: 0; }
  tr:last-child { border-bottom: 0; padding-bottom: 0; }
  td, td.figure { border: 0; padding: 1px 0; text-align: right; white-space: normal; display: flex; justify-content: space-between; gap: 16px; }
  td::before { content: attr(data-head); color: var(--soft); text-align: left; white-space: nowrap; }
  td:first-child { font-weight: 600; text-align: left; display: block; }
  td:first-child::before { content: none; }
  td[data-head=""] { display: block; text-align: left; }
  td[data-head=""]::before { content: none; }
  td:empty { display: none; }
}
@media print { :root { color-scheme: light; } figure, .card, .tile { break-inside: avoid; } }
`;
