import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { readRun } from "../../../cli/runs.ts";
import type { Trial } from "../../../core/index.ts";
import { install, pack } from "../../support/pack.ts";
import { emptyFolder } from "../../support/run.ts";

const root = new URL("../../../", import.meta.url).pathname;
const folder = emptyFolder();
let service: Server;
let url: string;

beforeAll(async () => {
  const tarballs = ["mechanism", "proposer", "evaluator"].map((kind) =>
    pack(`${root}examples/community-${kind}`, folder),
  );
  install(folder, inject("tarball"), ...tarballs);
  service = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { values } = JSON.parse(body) as { values: { A: number; B: number } };
      response.end(JSON.stringify({ loss: (values.A - 0.3) ** 2 + (values.B - 0.6) ** 2 }));
    });
  });
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
});
afterAll(() => service.close());

const rest = {
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: { parameters: { A: { type: "float", min: 0, max: 1 }, B: { type: "float", min: 0, max: 1 } } },
  budget: { trials: 8 },
};

/** The command that npm linked in the folder. */
async function bilevel(...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(join(folder, "node_modules/.bin/bilevel"), args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said };
}

/** What the journal says of them. */
function workIn(run: string): { by: Set<string>; shaped: boolean; measured: number } {
  const trials = [...(readRun(join(folder, ".bilevel", run)).ledgers[0]?.view().trials ?? [])] as Trial[];
  return {
    by: new Set(trials.filter(({ id }) => id > 0).map(({ by }) => by)),
    shaped: trials.some(({ touches }) => touches.some(({ tap, did }) => tap === "cooling" && did === "changed")),
    measured: trials.filter(({ outcome }) => outcome?.status === "measured").length,
  };
}
const worked = { by: new Set(["halton"]), shaped: true, measured: 9 };

describe("a mechanism, a proposer and an evaluator from packages of their own", () => {
  it("work in a config of TypeScript that imports them, and have types", async () => {
    writeFileSync(
      join(folder, "imported.mts"),
      `import { defineConfig, innerLoop } from "bilevel";
import http from "bilevel-evaluator-http";
import cooling from "bilevel-mechanism-cooling";
import halton from "bilevel-proposer-halton";
export default defineConfig({
  name: "imported",
  ...(${JSON.stringify(rest)} as const),
  evaluator: http({ url: "${url}" }),
  proposer: halton({ start: 7 }),
  levels: [innerLoop({ slots: 2 })],
  plugins: [cooling({ cooling: 0.95 })],
});
// @ts-expect-error no such option
halton({ begin: 7 });
`,
    );
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const args = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "imported.mts",
    ];
    const { stdout } = spawnSync(process.execPath, [compiler, ...args], { cwd: folder, encoding: "utf8" });
    expect(stdout).toBe("");
    writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
    expect(await bilevel("run", "-c", "imported.mts", "--quiet")).toMatchObject({ code: 0 });
    expect(workIn("imported")).toEqual(worked);
  });

  const byName = (name: string, use: (kind: string) => string): string =>
    JSON.stringify({
      name,
      ...rest,
      evaluator: { use: use("evaluator-http"), options: { url } },
      proposer: { use: use("proposer-halton"), options: { start: 7 } },
      levels: [{ use: "bilevel#innerLoop" }],
      plugins: [{ use: use("mechanism-cooling"), options: { cooling: 0.95 } }],
    });

  it("work in a config of YAML that names the packages", async () => {
    writeFileSync(
      join(folder, "named.yaml"),
      byName("named", (kind) => `bilevel-${kind}`),
    );
    expect(await bilevel("run", "-c", "named.yaml", "--quiet")).toMatchObject({ code: 0 });
    expect(workIn("named")).toEqual(worked);
  });

  it("work in a config of YAML that gives their paths", async () => {
    writeFileSync(
      join(folder, "paths.yaml"),
      byName("paths", (kind) => `./node_modules/bilevel-${kind}/index.js`),
    );
    expect(await bilevel("run", "-c", "paths.yaml", "--quiet")).toMatchObject({ code: 0 });
    expect(workIn("paths")).toEqual(worked);
    expect((await bilevel("plugins", "-c", "paths.yaml")).said).toMatch(/propose +SHAPE +cooling/);
  });

  it("an option that is misspelt is told with exit code 2", async () => {
    const text = byName("wrong", (kind) => `bilevel-${kind}`).replace('"cooling":', '"colling":');
    writeFileSync(join(folder, "wrong.yaml"), text);
    const { code, said } = await bilevel("run", "-c", "wrong.yaml");
    expect([code, said]).toEqual([2, expect.stringContaining("did you mean cooling?")]);
  });
});
