import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { FrameReader } from "../../../plugins/evaluate-ray/frames.ts";

const exit = { code: 0, signal: null, seconds: 1, tampered: [], leftBehind: 0, host: "node" };

describe("frames in a log", () => {
  it("are read whole however the log is torn, with lines of others between them", () => {
    const lines = fc.array(
      fc.record({ text: fc.string({ unit: "binary" }), before: fc.constantFrom("", "warning: ", "x\n") }),
    );
    fc.assert(
      fc.property(lines, fc.array(fc.nat(60), { minLength: 1 }), (said, steps) => {
        const frames = said.map(({ text, before }) => `${before}t0k out ${JSON.stringify(text)}\n`).join("");
        const log = `Running entrypoint for job t0k\n${frames}t0k file "a"\nt0k file "b"\nt0k exit ${JSON.stringify(exit)}\n`;
        const reader = new FrameReader("t0k");
        let [output, at] = ["", 0];
        for (let turn = 0; at < log.length; turn++) {
          const length = (steps[turn % steps.length] ?? 0) + 1;
          output += reader.read(log.slice(at, at + length));
          at += length;
        }
        expect(output).toBe(said.map(({ text }) => text).join(""));
        expect(reader).toMatchObject({ file: "ab", exit });
      }),
    );
  });

  it("of another token, or torn for good, are none", () => {
    const reader = new FrameReader("t0k");
    expect(reader.read('other out "x"\nt0k out "torn\nt0k exit 7\nt0k more "x"\n')).toBe("");
    expect(reader.exit).toBeUndefined();
  });
});
