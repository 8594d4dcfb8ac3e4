import multiScaleBandit from "../plugins/mechanisms/multi-scale-bandit.ts";
import orthogonalDesign from "../plugins/mechanisms/orthogonal-design.ts";
import tabu from "../plugins/mechanisms/tabu.ts";
import { groups } from "./groups.ts";

/** Both outer levels, with the shipped mechanisms as the catalogue; the task, the objective and the budget are the user's. */
export default function bilevel({ slots = 1 }: { slots?: number } = {}) {
  return { levels: groups.C({ slots }), plugins: [tabu(), multiScaleBandit(), orthogonalDesign()] };
}
