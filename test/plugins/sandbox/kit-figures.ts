import {
  canonical,
  cholesky,
  complete,
  coordinates,
  defaults,
  describeMove,
  distance,
  dot,
  expectedImprovement,
  gaussianProcess,
  hashOf,
  integer,
  latinHypercube,
  leastSquares,
  localMove,
  mean,
  mechanism,
  median,
  multiply,
  normal,
  normalQuantile,
  normalShare,
  orthogonalArray,
  pick,
  quantile,
  sample,
  shuffle,
  sobol,
  solve,
  streamOf,
  studentT,
  transpose,
  valuesKey,
  variance,
  violation,
  type Space,
} from "bilevel/kit";

const mixed: Space = {
  parameters: {
    rate: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.01 },
    decay: { type: "float", min: -1, max: 3, default: 0.5 },
    depth: { type: "int", min: 1, max: 12, default: 3 },
    width: { type: "int", min: 16, max: 1024, scale: "pow2", default: 64 },
    form: { type: "choice", values: ["relu", "gelu", "swish"], default: "relu" },
    norm: { type: "bool", default: false },
  },
};

/** What adds, multiplies, divides and takes square roots alone: equal to the last bit on every engine. */
export function exactFigures(): Record<string, unknown> {
  const random = streamOf("figures", 7);
  const points = Array.from({ length: 24 }, () => Array.from({ length: 4 }, random));
  const numbers = points.map((point) => dot(point, [1, -2, 3, 0.5]));
  const positive = multiply(points, transpose(points)).map((row, i) =>
    row.map((value, j) => value + (i === j ? 1 : 0)),
  );
  const values = Array.from({ length: 60 }, () => sample(mixed, random));
  const [first = defaults(mixed), second = defaults(mixed)] = values;
  const moves = Array.from({ length: 60 }, () => localMove(mixed, first, random, { step: 0.2, frozen: ["depth"] }));
  return {
    streams: [Array.from({ length: 50 }, random), Array.from({ length: 50 }, () => normal(random))],
    draws: [hashOf("a", 1), integer(random, 9), pick(random, ["a", "b", "c"]), shuffle(random, [1, 2, 3, 4, 5])],
    designs: [Array.from({ length: 32 }, (_, n) => sobol(n, 5)), latinHypercube(12, 3, random), orthogonalArray(3, 4)],
    statistics: [mean(numbers), variance(numbers), median(numbers), quantile(numbers, 0.9)],
    algebra: [cholesky(positive), solve(positive, numbers), leastSquares(points, numbers, 0.1)],
    values: [values, moves, complete(mixed, first, { depth: 7 })],
    told: [valuesKey(first), describeMove(first, second), violation(mixed, { ...first, depth: 99 }), canonical(second)],
  };
}

/** What needs logarithms and exponentials: engines differ there in the last bits. */
export function closeFigures(): number[] {
  const points = Array.from({ length: 128 }, (_, n) => sobol(n, 4));
  const losses = points.map((point) => point.reduce((sum, x, i) => sum + (i + 1) * (x - 0.3) ** 2, 0));
  const process = gaussianProcess(points, losses);
  const random = streamOf("asked");
  const asked = Array.from({ length: 200 }, () => process.predict(Array.from({ length: 4 }, random)));
  const [first, second] = [sample(mixed, random), sample(mixed, random)];
  return [
    process.logLikelihood,
    process.length,
    process.noise,
    ...asked.flatMap((one) => [one.mean, one.sd, expectedImprovement(one, 0.5)]),
    studentT(0.975, 7),
    normalQuantile(0.01),
    normalShare(1.3),
    distance(mixed, first, second),
    ...coordinates(mixed, first),
  ];
}

export default mechanism({
  name: "figures",
  init: () => 0,
  reflect: (state) => state,
  brief: () => JSON.stringify(exactFigures()),
  refine: () => ({ values: { close: closeFigures() } }),
});
