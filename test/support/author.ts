import { readFileSync } from "node:fs";
import type { ArmChange, Generated, Plugin, Turn } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";

/** The code of one of the sound mechanisms. */
export const sound = (name: string): string =>
  readFileSync(new URL(`../plugins/sandbox/sound/${name}.ts`, import.meta.url), "utf8");

/** Writes these files for a research level, one after the other, each once the one before it is decided; a refused file is not written again. `checked`: what the checks would find, where they are not asked. */
export const author = (files: readonly string[], checked: Partial<Generated> = {}): Plugin => ({
  name: "scripted-author",
  contract: 1,
  kinds: ["arm"],
  apply(taps) {
    taps.propose("TURN", (draft, turn: Turn<ArmChange>) => {
      const { view } = turn;
      const target = view.below;
      if (draft.candidate || !target) return undefined;
      const of = innermost(target);
      const tried = [...view.trials].map(({ candidate }) => candidate);
      const isOpen = (change: ArmChange): boolean =>
        !!change.install &&
        !of.evidence.get(changeId(change))?.decision &&
        !of.inForce.includes(changeId(change)) &&
        !of.struck.includes(changeId(change));
      if (tried.some(isOpen)) return undefined;
      const written = [...tried, ...turn.refused.map(({ candidate }) => candidate as ArmChange)].flatMap(
        ({ install }) => (install?.from === "code" ? [install.code] : []),
      );
      const code = files.find((one) => !written.includes(one));
      if (code === undefined) return undefined;
      return {
        ...draft,
        by: "scripted-author",
        candidate: {
          of: of.level,
          install: { from: "code", name: "written", code, idea: "from a script", ...checked },
        },
      };
    });
  },
});

const innermost = (view: NonNullable<Turn<ArmChange>["view"]["below"]>): typeof view =>
  view.below ? innermost(view.below) : view;
