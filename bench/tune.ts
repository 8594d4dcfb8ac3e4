import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { tuning } from "../plugins/propose-search/tuning.ts";
import { own } from "./search/methods.ts";
import { closeBridge, play, type Played } from "./search/play.ts";
import { tasks } from "./search/tasks.ts";

const { values: flags } = parseArgs({
  options: { seeds: { type: "string", default: "10" }, from: { type: "string", default: "0" }, tasks: { type: "string" }, methods: { type: "string", default: "search" }, trials: { type: "string", default: "30,100" }, set: { type: "string", multiple: true }, slots: { type: "string", default: "1" }, role: { type: "string", default: "tuning" } },
});
for (const one of flags.set ?? []) {
  const [path = "", value = ""] = one.split("=");
  const parts = path.split(".");
  let at = tuning as Record<string, unknown>;
  for (const part of parts.slice(0, -1)) at = at[part] as Record<string, unknown>;
  at[parts.at(-1) as string] = JSON.parse(value);
}
const cacheFile = "/tmp/wtsearch-cache.json";
const cache = (existsSync(cacheFile) ? JSON.parse(readFileSync(cacheFile, "utf8")) : {}) as Record<string, Played>;
const references = ["local", "optuna"];
const wanted = tasks.filter(({ name, role }) => (flags.tasks ? flags.tasks.split(",").some((one) => name.includes(one)) : role === flags.role && !name.includes("real")));
const regret = (p: Played, floor: number) => Math.log10(Math.max(1e-4, (p.value - floor) / (p.baseline - floor)));
const totals: Record<string, number[]> = {};
for (const trials of flags.trials.split(",").map(Number)) {
  for (const task of wanted) {
    const rows: Record<string, Played[]> = {};
    for (const method of [...references, ...flags.methods.split(",")])
      for (let seed = Number(flags.from); seed < Number(flags.from) + Number(flags.seeds); seed++) {
        const game = { task: task.name, method, seed, trials, slots: Number(flags.slots) };
        const key = JSON.stringify(game);
        const isCached = references.includes(method) || !["search", "tpe", "cma"].includes(method);
        const p = (isCached ? cache[key] : undefined) ?? (await play(game, task, own[method]?.()));
        if (isCached) cache[key] = p;
        (rows[method] ??= []).push(p);
      }
    const floor = Math.min(...Object.values(cache).filter((p) => p.task === task.name).map((p) => p.best ?? Infinity), ...Object.values(cache).filter((p) => p.task === task.name).map((p) => Math.min(...p.curve.filter(Number.isFinite))), task.name.startsWith("mock") ? 0 : Infinity);
    const line = Object.entries(rows).map(([method, list]) => {
      const logs = list.map((p) => regret(p, p.best ?? floor));
      const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
      (totals[`${method} ${trials}`] ??= []).push(mean);
      const rate = (other: string) => { const o = rows[other] as Played[]; const w = list.reduce((s, p, i) => { const q = o[i] as Played; return s + (p.value < q.value ? 1 : p.value === q.value ? 0.5 : 0); }, 0) / list.length; (totals[`${method} ${trials} vs ${other}`] ??= []).push(w); return w.toFixed(2); };
      const beats = method === "search" || !references.includes(method) ? ` w ${rate("local")} ${rate("optuna")} ms ${(list.reduce((s, p) => s + p.ms, 0) / list.length).toFixed(1)}` : "";
      return `${method} ${mean.toFixed(3)} cr ${(list.reduce((s, p) => s + p.crashes, 0) / list.length / trials * 100).toFixed(0)}%${beats}`;
    });
    console.log(`${task.name} ${trials}: ${line.join(" | ")}`);
    writeFileSync(cacheFile, JSON.stringify(cache));
  }
}
for (const [name, list] of Object.entries(totals)) console.log(`TOTAL ${name}: ${(list.reduce((a, b) => a + b, 0) / list.length).toFixed(3)}`);
closeBridge();
