import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import type { Edit, Task, TaskChange, Trial } from "../../../core/index.ts";
import { resolveConfig } from "../../../core/index.ts";
import { evaluateProcess } from "../../../plugins/evaluate-process/index.ts";
import { proposeLlm, relevantParts } from "../../../plugins/propose-llm/index.ts";
import { report } from "../../../plugins/report/index.ts";
import { emptyFolder, ofType } from "../../support/run.ts";
import { promptOf, proposals, withModel } from "../../support/with-model.ts";

const program =
  "const RATE = 4;\nconst scale = 2;\nconst offset = 1;\nconsole.log(`loss: ${scale * RATE + offset}`);\n";
const edit = (find: string, replace: string, file = "train.js"): { edits: Edit[]; hypothesis: string } => ({
  edits: [{ file, find, replace }],
  hypothesis: `${find} could be ${replace}`,
});

/** Runs a program whose file the model may edit; `answers` in their order. */
async function edited(answers: readonly object[], { space = true } = {}) {
  const folder = emptyFolder();
  mkdirSync(join(folder, "task"));
  writeFileSync(join(folder, "task", "train.js"), program);
  writeFileSync(join(folder, "task", "data.js"), "export {};\n");
  const task: Task = {
    folder: "task",
    command: ["node", "train.js"],
    editable: ["*.js"],
    protected: ["data.js"],
    seed: "none",
    ...(space ? { values: { via: "constants" as const, file: "train.js" } } : {}),
  };
  let next = 0;
  const config = () => ({
    task,
    space: space ? { parameters: { RATE: { type: "int" as const, min: 1, max: 9, default: 4 } } } : undefined,
    evaluator: evaluateProcess({ graceSeconds: 0.2 }),
    plugins: [report()],
    budget: { trials: 3 },
  });
  const ran = await withModel({
    folder,
    config,
    answers: ({ purpose }) => (purpose === "ready" ? { ready: true } : (answers[next++] ?? { hypothesis: "nothing" })),
  });
  const trials = [...(ran.end.levels.get("inner")?.trials ?? [])] as Trial<TaskChange>[];
  return { ...ran, trials, prompts: proposals(ran.asked).map(promptOf), config };
}

describe("edits of files that are named editable", () => {
  it("are shown the files, tried, kept, shown again as they stand then, and end in a patch that git applies", async () => {
    const answers = [
      edit("const scale = 2", "const scale = 1"),
      { values: { RATE: 3 }, hypothesis: "less" },
      edit("offset = 1", "offset = 0"),
    ];
    const { trials, prompts, folder, config, whole } = await edited(answers);
    expect(trials.map(({ outcome }) => outcome?.status === "measured" && outcome.metric)).toEqual([9, 5, 4, 3]);
    expect(prompts[0]).toContain("train.js:\n```\nconst RATE = 4;\nconst scale = 2;");
    expect(prompts[0]).not.toContain("data.js:");
    expect(prompts[1]).toContain("const scale = 1;");
    expect(prompts[1]).toContain(
      'Edits made so far, in force:\n- train.js: "const scale = 2" became "const scale = 1"',
    );
    expect(prompts[1]).toContain(
      "- trial 1 (from 0): edits train.js (const scale = 2 could be const scale = 1) → 5, gain 4, kept",
    );
    const patch = join(folder, "best.patch");
    execFileSync("git", ["apply", patch], { cwd: join(folder, "task") });
    expect(readFileSync(join(folder, "task", "train.js"), "utf8")).toBe(
      program.replace("RATE = 4", "RATE = 3").replace("scale = 2", "scale = 1").replace("offset = 1", "offset = 0"),
    );
    const objective = { metric: "loss", direction: "minimize" as const };
    expect(
      await replay(folder, resolveConfig({ objective, ...whole, ...config(), proposer: proposeLlm() }, "c.ts").config),
    ).toBeGreaterThan(6);
  });

  it.each([
    ["that are not to be found", edit("const size = 2", "x"), "the text to find occurs 0 times"],
    ["that are found twice", edit("const", "let"), "the text to find occurs 3 times"],
    ["of a protected file", edit("export", "x", "data.js"), "the file is protected"],
    ["outside the folder", edit("a", "b", "../x.js"), "the file lies outside"],
    ["that take a parameter away", edit("const RATE = 4;", "const rate = 4;"), "cannot take the values"],
    ["that change nothing", { hypothesis: "as it is" }, "it changes nothing"],
  ])("%s are sent back with the reason, and cost no trial", async (_, wrong, reason) => {
    const { trials, prompts, facts } = await edited([wrong, edit("offset = 1", "offset = 0")]);
    expect(prompts[1]).toContain("Refused in this turn already:");
    expect(prompts[1]).toContain(reason);
    expect(trials[1]).toMatchObject({ by: "propose-llm", candidate: { edits: [{ replace: "offset = 0" }] } });
    expect(ofType(facts, "outcome").every(({ outcome }) => (outcome as { status: string }).status === "measured")).toBe(
      true,
    );
  });

  it("work without a space; where the model has none, the run ends and says so", async () => {
    const { trials, end } = await edited([edit("scale = 2", "scale = 1"), edit("offset = 1", "offset = 0")], {
      space: false,
    });
    expect(trials.map(({ by }) => by)).toEqual(["baseline", "propose-llm", "propose-llm"]);
    expect(end.reason).toBe("nothing more was proposed");
  });
});

describe("the part of a program that a model is shown", () => {
  const filler = (name: string) => Array.from({ length: 400 }, (_, line) => `${name}_${line} = ${line}`).join("\n");
  it("is all of it where it is short, else the lines around the parameters first", () => {
    const text = `import os\n${filler("a")}\nLEARNING_RATE = 0.1\n${filler("b")}\nstep(LEARNING_RATE)\n`;
    expect(relevantParts(text, ["LEARNING_RATE"], 1e6)).toBe(text);
    const part = relevantParts(text, ["LEARNING_RATE"], 1500);
    expect(part.length).toBeLessThan(1600);
    expect(part).toMatch(/^import os\n/);
    expect(part).toContain("a_399 = 399\nLEARNING_RATE = 0.1\nb_0 = 0");
    expect(part).toContain("b_399 = 399\nstep(LEARNING_RATE)");
    expect(part).toContain("…");
  });
});
