// SPDX-License-Identifier: GPL-2.0-only
/** How a report looks: light and dark, on a phone, on paper. Nothing in it comes from elsewhere. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #fbfbfa; --card: #ffffff; --ink: #1c2024; --soft: #5b6470; --line: #dfe2e6; --grid: #e9ebee;
  --c0: #0b5fc0; --c1: #c2410c; --c2: #0f766e; --c3: #7c3aed;
  --good: #1a7f37; --bad: #b3261e; --open: #8a5a00; --code: #f2f3f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171b; --card: #1c2026; --ink: #e7eaee; --soft: #a2abb6; --line: #333a43; --grid: #2a3038;
    --c0: #6fb3ff; --c1: #ff9d66; --c2: #4fd1b5; --c3: #c5a8ff;
    --good: #5fd07f; --bad: #ff8a80; --open: #f2c14e; --code: #262c34;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
.whole { white-space: nowrap; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--c0); }
.meta, .note { color: var(--soft); font-size: .9rem; }
.tally { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; margin: 1.2rem 0 .9rem; padding: 0; list-style: none; }
.tally b { font-size: 1.5rem; font-variant-numeric: tabular-nums; margin-right: .35rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: .75rem; padding: 0; margin: 0 0 2.5rem; list-style: none; }
.cards a { display: block; height: 100%; padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--soft); border-radius: 6px; color: inherit; text-decoration: none; }
.cards a:hover, .cards a:focus-visible { border-color: var(--c0); border-left-color: inherit; }
.cards .agrees { border-left-color: var(--good); } .cards .differs, .cards .failed { border-left-color: var(--bad); } .cards .open { border-left-color: var(--open); }
.cards strong { display: block; line-height: 1.3; margin: .15rem 0 .3rem; }
.cards small { color: var(--soft); display: block; line-height: 1.4; overflow-wrap: anywhere; }
.badge { display: inline-flex; align-items: center; gap: .35rem; font-size: .82rem; font-weight: 650; white-space: nowrap; }
.badge.agrees { color: var(--good); } .badge.differs, .badge.failed { color: var(--bad); } .badge.open { color: var(--open); }
.badge i { flex: none; font-style: normal; display: inline-grid; place-items: center; width: 1.15rem; height: 1.15rem; border: 2px solid; border-radius: 50%; font-size: .72rem; line-height: 1; }
.seed { color: var(--soft); font-size: .82rem; font-variant-numeric: tabular-nums; margin-right: .6rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1.2rem 1.4rem 1.4rem; margin: 0 0 1.4rem; scroll-margin-top: 1rem; }
section > .head { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .2rem 1rem; }
blockquote { margin: .7rem 0 1rem; padding: .1rem 0 .1rem .9rem; border-left: 3px solid var(--line); color: var(--soft); max-width: 46rem; }
blockquote p { margin: 0; }
.checks { list-style: none; margin: .6rem 0 1rem; padding: 0; display: grid; gap: .45rem; }
.checks li { display: grid; grid-template-columns: 1.5rem 1fr; gap: .5rem; align-items: start; }
.checks span { overflow-wrap: anywhere; }
.checks small { color: var(--soft); display: block; font-size: .88rem; }
.checks .badge i { margin-top: .12rem; }
.hide { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 23rem), 1fr)); gap: 1rem 2rem; margin: 1rem 0; }
figure { margin: 1rem 0; min-width: 0; break-inside: avoid; }
.plots figure { margin: 0; }
section > figure { max-width: 31rem; }
figcaption { font-weight: 600; font-size: .95rem; line-height: 1.35; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; margin: .25rem 0 .35rem; padding: 0; font-size: .84rem; color: var(--soft); }
.legend li { display: inline-flex; align-items: center; gap: .4rem; }
.swatch { width: 24px; height: 14px; flex: none; }
.grid { stroke: var(--grid); fill: none; } .axis { stroke: var(--soft); fill: none; }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.line.s1 { stroke-dasharray: 7 3; } .line.s2 { stroke-dasharray: 2 3; } .line.s3 { stroke-dasharray: 9 3 2 3; }
.mark { fill: var(--c); stroke: var(--card); stroke-width: 1; } .mark:hover { stroke: var(--ink); }
.joint { stroke: var(--soft); stroke-width: 1.5; fill: none; opacity: .55; }
.fill { fill: var(--c); stroke: var(--card); stroke-width: .5; } .fill.s1 { fill-opacity: .66; } .fill.s2 { fill-opacity: .36; }
.fill.lane { stroke: none; } .fill.waits { fill: none; stroke: var(--c1); stroke-width: .8; }
.fill.lane.waits { fill: var(--c1); fill-opacity: .28; stroke: var(--c1); stroke-opacity: .7; stroke-width: .5; }
.scroll { overflow-x: auto; margin: .8rem 0; max-width: 100%; } .scroll:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; font-size: .95rem; padding-bottom: .3rem; } caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 4rem); }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th.wrap { white-space: normal; } th[scope=row], .word { text-align: left; font-weight: 400; }
thead th { white-space: normal; } td.word { white-space: normal; min-width: 7rem; } td .badge { white-space: normal; text-align: left; } .why { color: var(--soft); } .none { color: var(--soft); }
tr.real td, tr.real th { font-weight: 600; }
details { margin: .9rem 0; } summary { cursor: pointer; color: var(--c0); font-size: .92rem; }
pre { background: var(--code); padding: .6rem .8rem; border-radius: 6px; margin: .5rem 0; overflow-x: auto; font: .84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: .8rem 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { padding-bottom: 3rem; color: var(--soft); font-size: .88rem; }
@media (max-width: 40rem) {
  main, header, footer { padding-left: .8rem; padding-right: .8rem; } section { padding: 1rem .9rem; }
  h1 { font-size: 1.5rem; } svg text { font-size: 13px; } header { padding-top: 1.4rem; }
}
@media print {
  :root { --bg: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --grid: #ddd; --c0: #0b5fc0; --c1: #c2410c; --c2: #0f766e; --c3: #7c3aed; --good: #1a7f37; --bad: #b3261e; --open: #8a5a00; --code: #f2f3f5; }
  body { font-size: 10.5pt; } section { border: 0; padding: 0; margin-bottom: 1.6rem; } .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; } summary { list-style: none; color: inherit; font-weight: 600; }
  tr, .cards li { break-inside: avoid; } h2 { break-after: avoid; } a { color: inherit; text-decoration: none; } table { font-size: 8pt; } td, th { white-space: normal; }
}
`;
