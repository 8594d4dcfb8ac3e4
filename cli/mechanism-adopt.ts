import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Evidence } from "../core/index.ts";
import { BilevelError } from "../core/index.ts";
import { count } from "../kit/text.ts";

/** What a run knows of a mechanism that was written in it. */
export interface Written {
  id: string;
  name: string;
  code: string;
  idea: string;
  standing?: string;
  /** Why it was not let in. */
  refused?: readonly string[];
  evidence?: Evidence;
  inForce: boolean;
  /** How it stands, in words: kept, dropped, too early, out after 3 failures. */
  stands: string;
}

/** Where its evidence comes from. */
export interface Origin {
  run: string;
  metric: string;
  trials: number;
}

/**
 * Writes a mechanism as a package that is ready to publish. Its record starts
 * anew there: what a card tells of one run is no evidence in another.
 * @throws E_USAGE where the folder exists
 */
export async function adopt(
  into: string,
  { name, code, idea, evidence, standing, stands }: Written,
  origin: Origin,
): Promise<string> {
  const packageName = `bilevel-mechanism-${name}`;
  const folder = join(into, packageName);
  if (existsSync(folder))
    throw new BilevelError("E_USAGE", "there is such a folder already", {
      path: folder,
      hint: "move it away, or adopt with --into another folder",
    });
  mkdirSync(folder, { recursive: true });
  const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const packageFile = ["../package.json", "../../package.json"]
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url)) as URL;
  const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version: string };
  write("index.ts", code);
  const { default: ts } = await import("typescript"); // heavy: loaded where it is needed
  const { ESNext } = ts.ModuleKind;
  write(
    "index.js",
    ts.transpileModule(code, { compilerOptions: { module: ESNext, target: ts.ScriptTarget.ES2022 } }).outputText,
  );
  write(
    "index.d.ts",
    `import type { Plugin } from "bilevel";\n\ndeclare const mechanism: (options?: Record<string, unknown>) => Plugin;\nexport default mechanism;\n`,
  );
  write(
    "package.json",
    json({
      name: packageName,
      version: "0.1.0",
      description: idea || `A search mechanism for bilevel: ${name}`,
      keywords: ["bilevel", "bilevel-mechanism"],
      license: "MIT",
      type: "module",
      exports: { ".": { types: "./index.d.ts", default: "./index.js" } },
      files: ["index.js", "index.ts", "index.d.ts", "evidence.json"],
      scripts: { test: "bilevel mechanism test index.ts" },
      peerDependencies: { bilevel: `^${version}` },
      peerDependenciesMeta: { bilevel: { optional: true } }, // where none is installed it gets the command's own
      devDependencies: { bilevel: `^${version}` },
    }),
  );
  const card = {
    ...origin,
    bilevel: version,
    node: process.versions.node,
    standing: standing ?? null,
    verdict: stands,
    pairs: evidence?.pairs ?? 0,
    turns: evidence?.turns ?? 0,
    evidence: evidence ? Number(Math.exp(evidence.logWith).toPrecision(4)) : null,
    needed: evidence?.needed ?? null,
    effect: evidence?.effect ?? null,
  };
  write("evidence.json", json(card));
  write("README.md", readme(packageName, name, idea, card));
  return folder;
}

const readme = (
  packageName: string,
  name: string,
  idea: string,
  card: Readonly<Record<string, unknown>>,
): string => `# ${packageName}

${idea || `The search mechanism ${name}.`}

\`\`\`ts
import { defineConfig } from "bilevel";
import ${name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())} from "${packageName}";

export default defineConfig({ /* … */ plugins: [${name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())}()] });
\`\`\`

\`npm test\` puts it through bilevel's checks and on three fast tasks.

## Where it comes from

It was written in a run of bilevel ${String(card.bilevel)} (\`${String(card.run)}\`, metric \`${String(card.metric)}\`, ${count(Number(card.trials), "trial")}).
There it was ${String(card.verdict)} after ${count(Number(card.pairs), "pair")}, with evidence ${String(card.evidence ?? "none")} of ${String(card.needed ?? "none")} needed; \`evidence.json\` has all of it.
That is a record of that run alone: in yours it starts anew.
`;
