import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Values } from "../../core/index.ts";
import measure, { predict } from "../../examples/karpathy-surrogate/objective.ts";
import { space } from "../../examples/karpathy-surrogate/space.ts";
import { defaults, sample, streamOf, violation } from "../../kit/index.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../examples/karpathy-surrogate/vectors.json", import.meta.url), "utf8"),
) as { config: Values; speed: number; bpb: number; crashProb: number; memGiB: number; noiseSd: number }[];

it("the surrogate gives its 200 vectors to 1e-6", () => {
  expect(vectors).toHaveLength(200);
  for (const { config, speed, bpb, crashProb, memGiB, noiseSd } of vectors) {
    const told = predict(config, speed);
    for (const [is, wanted] of [
      [told.bpb, bpb],
      [told.crashProbability, crashProb],
      [told.memoryGib, memGiB],
      [told.noiseSd, noiseSd],
    ] as const)
      expect(Math.abs(is - wanted)).toBeLessThan(1e-6);
  }
});

it("the surrogate is a function of values and seed, and crashes where memory runs out", () => {
  const values = defaults(space);
  expect(measure(values, { seed: 1 })).toEqual(measure(values, { seed: 1 }));
  expect(measure(values, { seed: 1 })).not.toEqual(measure(values, { seed: 2 }));
  const random = streamOf("share of crashes");
  let crashes = 0;
  for (let n = 0; n < 200; n++) {
    const drawn = sample(space, random);
    expect(violation(space, drawn)).toBeUndefined();
    try {
      measure(drawn, { seed: n });
    } catch {
      crashes++;
    }
  }
  expect(crashes / 200).toBeGreaterThan(0.4); // 57.5 % over many draws
  expect(crashes / 200).toBeLessThan(0.75);
});
