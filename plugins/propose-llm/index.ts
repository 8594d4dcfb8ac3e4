import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Draft, Plugin, Space, TaskChange, Taps, Turn } from "../../core/index.ts";
import { complete, valuesKey, violation } from "../../kit/index.ts";
import { fenced } from "../llm/index.ts";
import { proposeLocal } from "../propose-local/index.ts";
import { formOf, promptOf, system } from "./prompt.ts";
import { mended } from "./values.ts";

export { promptOf, system } from "./prompt.ts";
export { mended } from "./values.ts";

/** Characters of the task's file that a model is shown. */
const shownCode = 12_000;

/** Asks the model for one change; when there is no usable answer, the turn is proposed without it. */
export interface Asking {
  /** Lines of the task that the model should see; none where there is no task folder. */
  code: string | undefined;
}

interface Proposed {
  values: Readonly<Record<string, unknown>>;
  hypothesis: string;
  expected?: string;
}

/**
 * One change by the model, checked here so that it can be told what it hit: a
 * value out of bounds, a frozen parameter, a point that is known. It is asked
 * again once; then there is no draft.
 */
export async function askForChange(
  taps: Pick<Taps<TaskChange>, "model" | "space">,
  turn: Turn<TaskChange>,
  draft: Draft<TaskChange>,
  { code }: Asking,
): Promise<{ draft: Draft<TaskChange> } | { failed: string }> {
  const { model, space } = taps;
  if (!model || !space) return { failed: "there is no model" };
  const form = formOf(space);
  const refused = [...turn.refused];
  for (let asked = 0; asked < 2; asked++) {
    const prompt = promptOf({ ...turn, refused }, draft.brief);
    const context = code === undefined ? undefined : `The program, as far as it is shown:\n${fenced(code, shownCode)}`;
    const answer = await model.ask<Proposed>(turn, {
      purpose: "proposal",
      system,
      prompt,
      form,
      ...(context ? { context } : {}),
    });
    if ("failed" in answer) return { failed: answer.failed };
    const { hypothesis, expected } = answer.value;
    const values = mended(space, answer.value.values);
    const problem = problemOf(space, turn, values);
    if (problem === undefined)
      return {
        draft: {
          ...draft,
          candidate: { values },
          hypothesis: expected ? `${hypothesis} (expected: ${expected})` : hypothesis,
        },
      };
    refused.push({ candidate: { values }, reason: problem });
  }
  return { failed: `its changes were refused: ${refused.at(-1)?.reason ?? ""}` };
}

function problemOf(
  space: Space,
  { view, parent }: Turn<TaskChange>,
  change: Readonly<Record<string, never>> | TaskChange["values"],
): string | undefined {
  const own = parent.candidate.values ?? {};
  const values = complete(space, own, change ?? {});
  const problem = violation(space, values);
  if (problem !== undefined) return problem;
  const frozen = Object.keys(change ?? {}).find(
    (name) =>
      view.policy.frozen.includes(name) && valuesKey({ v: values[name] ?? "" }) !== valuesKey({ v: own[name] ?? "" }),
  );
  if (frozen !== undefined) return `${frozen} is frozen`;
  const key = valuesKey(values);
  const known = [...view.trials, ...view.pending].find((trial) => valuesKey(trial.candidate.values ?? {}) === key);
  return known && `this is trial ${known.id} again`;
}

/** The file whose constants are the parameters, as the run froze it; kept by the plugin from its opening. */
export function codeReader(): { open: NonNullable<Plugin["open"]>; code: () => string | undefined } {
  let code: string | undefined;
  return {
    open({ config, home }) {
      const { task } = config;
      const file = task?.values?.via === "constants" ? join(home, task.folder, task.values.file) : undefined;
      code = file && existsSync(file) ? readFileSync(file, "utf8") : undefined;
      return Promise.resolve();
    },
    code: () => code,
  };
}

/** Every proposal by the model (the paper's way); where it has none, by a local move. */
export function proposeLlm(): Plugin {
  const reader = codeReader();
  const local = proposeLocal();
  return {
    name: "propose-llm",
    contract: 1,
    options: {},
    schema: { type: "object", additionalProperties: false },
    open: reader.open,
    apply(taps: Taps<TaskChange>) {
      taps.propose("SOURCE", async (draft, turn) => {
        if (draft.candidate !== undefined) return undefined;
        const asked = await askForChange(taps, turn, draft, { code: reader.code() });
        return "draft" in asked ? { ...asked.draft, by: "propose-llm" } : undefined;
      });
      local.apply?.(taps);
    },
  };
}
