import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import headless from "@xterm/headless";

/**
 * Takes a picture of a real terminal: runs `bilevel demo` in one (a pseudo-terminal, by `script` of util-linux), lets
 * xterm interpret what arrives there, and draws its screen: node docs/picture.ts writes docs/demo.svg.
 */
const columns = 96;
const rows = 60;
const cell = { width: 8.4, height: 18 };
const margin = 14;
const colours = ["#d7dae0", "#f0716f", "#7fc77f"]; // plain, red, green
const root = new URL("../", import.meta.url).pathname;

const home = mkdtempSync(join(tmpdir(), "bilevel-picture-"));
const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
const command = `stty cols ${columns} rows ${rows}; exec ${process.execPath} --no-warnings ${root}cli/bilevel.js demo`;
const shell = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
  cwd: home,
  env: { ...process.env, TERM: "xterm-256color", NO_COLOR: undefined },
  stdio: ["ignore", "pipe", "inherit"],
});
for await (const bytes of shell.stdout) await new Promise<void>((done) => terminal.write(bytes as Uint8Array, done));
rmSync(home, { recursive: true, force: true });

interface Stretch {
  column: number;
  text: string;
  style: string;
}

/** Neighbours of one style on one line of the screen. */
function stretchesOf(line: number): Stretch[] {
  const cells = terminal.buffer.active.getLine(line);
  const stretches: Stretch[] = [];
  for (let column = 0; cells && column < columns; column++) {
    const at = cells.getCell(column);
    if (!at) continue;
    const colour = at.isFgPalette() ? (colours[at.getFgColor()] ?? colours[0]) : colours[0];
    const style = `fill="${colour}"${at.isBold() ? ' font-weight="bold"' : ""}${at.isDim() ? ' opacity="0.6"' : ""}`;
    const last = stretches.at(-1);
    if (last?.style === style) last.text += at.getChars() || " ";
    else stretches.push({ column, text: at.getChars() || " ", style });
  }
  return stretches.map((one) => ({ ...one, text: one.text.trimEnd() })).filter(({ text }) => text !== "");
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const prompt = [{ column: 0, text: "$ bilevel demo", style: `fill="${colours[0]}" font-weight="bold"` }];
const lines = [prompt, ...Array.from({ length: terminal.buffer.active.length }, (_, line) => stretchesOf(line))];
while (lines.at(-1)?.length === 0) lines.pop();
const [width, height] = [columns * cell.width + 2 * margin, lines.length * cell.height + 2 * margin];
const drawn = lines.flatMap((stretches, line) =>
  stretches.map(({ column, text, style }) => {
    const [x, y] = [margin + column * cell.width, margin + (line + 0.75) * cell.height];
    const length = (text.length * cell.width).toFixed(1);
    return `<text x="${x.toFixed(1)}" y="${y}" textLength="${length}" xml:space="preserve" ${style}>${escaped(text)}</text>`;
  }),
);
writeFileSync(
  join(root, "docs", "demo.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
${drawn.join("\n")}
</svg>
`,
);
