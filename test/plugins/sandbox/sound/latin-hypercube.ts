import { complete, decode, latinHypercube, mechanism, streamOf, type Space, type Value } from "bilevel/kit";

/** Takes every fourth turn for a row of a Latin hypercube over the floats, the rest as in the parent. */
export default mechanism({
  name: "latin-hypercube",
  source: "McKay, Beckman and Conover (1979)",
  init(space: Space) {
    const names = Object.keys(space.parameters).filter((name) => space.parameters[name]?.type === "float");
    return { space, names, rows: latinHypercube(16, names.length, streamOf("latin hypercube")), next: 0 };
  },
  reflect(state, trial) {
    if (trial.by.startsWith("latin-hypercube") || trial.id % 4 === 0) state.next++;
    return state;
  },
  propose({ space, names, rows, next }, { number, parent, view }) {
    const row = rows[next];
    const free = names.filter((name) => !view.policy.frozen.includes(name));
    if (number % 4 !== 3 || !row || free.length === 0) return undefined;
    const levels = free.flatMap((name) => {
      const parameter = space.parameters[name];
      return parameter ? [[name, decode(parameter, [row[names.indexOf(name)] ?? 0.5])] as [string, Value]] : [];
    });
    return { values: complete(space, parent.candidate.values ?? {}, Object.fromEntries(levels)) };
  },
});
