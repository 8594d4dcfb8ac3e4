import { join, relative } from "node:path";
import type { Plugin, TaskChange, View } from "../../core/index.ts";
import { journalFile, messageOf, readJournal, writeAtomically } from "../../core/index.ts";
import { freezeTask, patchOf } from "../task/index.ts";
import { resultsTable } from "./results.ts";
import { summaryLines, summaryText } from "./summary.ts";
import { takeOverLine } from "./take-over.ts";

export { resultsTable } from "./results.ts";
export { modelAccount, type ModelAccount } from "./model-lines.ts";
export { receiptLines, receiptOf, type Receipt, type Share } from "./receipt.ts";
export { summaryLines, summaryText, type RunRecord } from "./summary.ts";
export { takeOverLine } from "./take-over.ts";
export { standOf, workOf, type Work } from "./work.ts";

export interface ReportOptions {
  /** Where the summary is printed; nowhere by default. */
  print?: (line: string) => void;
}

const refreshMs = 2000;

/** Keeps `results.tsv` and `best.patch` of a run current, and sums it up at its end. */
export function report({ print = () => undefined }: ReportOptions = {}): Plugin {
  let finish = (): Promise<void> => Promise.resolve();
  return {
    name: "report",
    contract: 1,
    open(run) {
      const { config } = run;
      let written = 0;
      let reason = "";
      const inner = (): View<TaskChange> => run.view(config.levels[0]?.name ?? "") as View<TaskChange>;
      const write = (): void => {
        written = Date.now();
        writeAtomically(join(run.folder, "results.tsv"), resultsTable(inner()));
      };
      run.on((fact) => {
        if (fact.type === "verdict" && Date.now() - written > refreshMs) write();
        if (fact.type === "end" || fact.type === "pause") reason = String(fact.reason);
      });
      finish = async () => {
        if (inner().trials.length === 0) return;
        write();
        const lines =
          reason === ""
            ? []
            : summaryLines(
                config.levels.map(({ name }) => run.view(name)),
                reason,
                { folder: run.folder, facts: readJournal(journalFile(run.folder)).facts },
              );
        const best = inner().incumbent?.trial;
        const patch =
          config.task && best && best.id !== 0
            ? await patchOf(await freezeTask(config.task, run.home, run.folder), config.task, best.candidate)
            : "";
        const patchFile = join(run.folder, "best.patch");
        if (patch) {
          writeAtomically(patchFile, patch);
          lines.push(takeOverLine(run.home, config.task?.folder ?? ".", patchFile));
        }
        lines.push(`table: ${relative(process.cwd(), join(run.folder, "results.tsv"))}`);
        if (reason !== "") for (const line of lines) print(line);
        writeAtomically(join(run.folder, "summary.md"), summaryText(config.objective.metric, lines));
      };
      return Promise.resolve();
    },
    async close() {
      await finish().catch((error: unknown) => print(`the report could not be written: ${messageOf(error)}`));
    },
  };
}
