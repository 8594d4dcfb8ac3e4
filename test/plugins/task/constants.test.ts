import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { discoverSpace, findConstants, languageOf, rewriteConstants } from "../../../plugins/task/index.ts";

const python = `"""Doc with LR = 1."""
import torch  # LR = 3
DEPTH = 8                      # layers
TOTAL_BATCH_SIZE = 2**19       # tokens, ~524K
LR: float = 4e-2
BETAS = (0.8, 0.95,)  # adam
SIZES = [
    1,   # one
    2,
]
PATTERN = 'SSSL'
NAME = "x # y"
FLAG = True
NEGATIVE = -0.5
UNDER = 1_000_000
A, B = 1, 2
FORMATTED = f"{DEPTH}"
if __name__ == "__main__":
    MAIN = 99
def f(LR=1):
    LR = 2
`;

const typescript = `const DEPTH = 2; // layers
export const TOTAL_BATCH_SIZE: number = 2 ** 11,
  SEED = 42;
let BETAS: [number, number] = [0.8, 0.95];
const SIZES = [1, 2] as const;
const PATTERN = 'SSSL';
const FLAG = false;
const RATE = 0.0;
const COMPUTED = Math.sqrt(2);
function train() { const DEPTH = 7; }
`;

describe("constants of a module", () => {
  it("are found at its top level with their values, in Python", () => {
    const found = Object.fromEntries(findConstants(python, "python").map(({ name, value }) => [name, value]));
    expect(found).toEqual({
      DEPTH: 8,
      TOTAL_BATCH_SIZE: 524288,
      LR: 0.04,
      BETAS: [0.8, 0.95],
      SIZES: [1, 2],
      PATTERN: "SSSL",
      NAME: "x # y",
      FLAG: true,
      NEGATIVE: -0.5,
      UNDER: 1000000,
      FORMATTED: undefined,
    });
  });

  it("are found in TypeScript", () => {
    const found = Object.fromEntries(findConstants(typescript, "typescript").map(({ name, value }) => [name, value]));
    expect(found).toEqual({
      DEPTH: 2,
      TOTAL_BATCH_SIZE: 2048,
      SEED: 42,
      BETAS: [0.8, 0.95],
      SIZES: [1, 2],
      PATTERN: "SSSL",
      FLAG: false,
      RATE: 0,
      COMPUTED: undefined,
    });
  });

  it("are rewritten in their own style, every other byte kept", () => {
    const values = {
      DEPTH: 12,
      TOTAL_BATCH_SIZE: 2 ** 17,
      LR: 0.0123,
      BETAS: [0.7, 0.95],
      SIZES: [1, 5],
      PATTERN: "LL'L",
      FLAG: false,
      NEGATIVE: 2,
    };
    const expected = python
      .replace("DEPTH = 8 ", "DEPTH = 12 ")
      .replace("2**19", "2**17")
      .replace("4e-2", "0.0123")
      .replace("(0.8, 0.95,)", "(0.7, 0.95,)")
      .replace("    2,\n", "    5,\n")
      .replace("'SSSL'", "'LL\\'L'")
      .replace("FLAG = True", "FLAG = False")
      .replace("-0.5", "2.0");
    expect(rewriteConstants(python, "python", values)).toBe(expected);
  });

  it("are rewritten in TypeScript", () => {
    const values = { TOTAL_BATCH_SIZE: 512, SEED: 43, BETAS: [0.8, 0.97], SIZES: [3, 2], FLAG: true, RATE: 1 };
    const expected = typescript
      .replace("2 ** 11", "2 ** 9")
      .replace("42", "43")
      .replace("[0.8, 0.95]", "[0.8, 0.97]")
      .replace("[1, 2] as", "[3, 2] as")
      .replace("false", "true")
      .replace("RATE = 0.0", "RATE = 1.0");
    expect(rewriteConstants(typescript, "typescript", values)).toBe(expected);
    expect(rewriteConstants("X = [1, 2]\n", "python", { X: [[3], 2] })).toBe("X = [[3], 2]\n");
  });

  it("that get the value they have stay as they are to the byte, with CRLF and a byte order mark too", () => {
    const source = `\uFEFF${python.replaceAll("\n", "\r\n")}`;
    const values = Object.fromEntries(
      findConstants(source, "python").flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
    );
    expect(rewriteConstants(source, "python", values)).toBe(source);
    expect(rewriteConstants(source, "python", { DEPTH: 9 })).toBe(source.replace("DEPTH = 8 ", "DEPTH = 9 "));
  });

  it("read back as what was written, whatever the value", () => {
    const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.string());
    fc.assert(
      fc.property(value, fc.constantFrom("python", "typescript"), (wanted, language) => {
        const source = typeof wanted === "string" ? "X = 'a'\n" : "X = 1.5\n";
        const written = rewriteConstants(language === "python" ? source : `const ${source}`, language, { X: wanted });
        const [read] = findConstants(written, language);
        expect(wanted === 0 ? 0 : read?.value).toBe(wanted === 0 ? 0 : wanted);
      }),
    );
  });

  it("that cannot be replaced are refused by name and line", () => {
    const refusal = (values: Record<string, number>) => () => rewriteConstants(python, "python", values);
    expect(refusal({ DEPHT: 1 })).toThrow(
      expect.objectContaining({
        code: "E_TASK_INVALID",
        details: expect.objectContaining({ hint: "did you mean DEPTH?" }) as object,
      }) as Error,
    );
    expect(refusal({ FORMATTED: 1 })).toThrow(/FORMATTED on line 17 is no literal/);
    expect(() => rewriteConstants("X = 1\n", "python", { X: [2] })).toThrow(
      /X on line 1 is no list, and cannot be \[2\]/,
    );
    expect(() => rewriteConstants("X = 1\nX = 2\n", "python", { X: 3 })).toThrow(
      /assigned on line 1 and again on line 2/,
    );
    expect(() => languageOf("train.jl")).toThrow(expect.objectContaining({ code: "E_TASK_INVALID" }) as Error);
  });
});

describe("a constant that the module assigns again", () => {
  const cases: [language: "python" | "typescript", source: string][] = [
    ["typescript", "let A = 1;\nA = 2;\n"],
    ["typescript", "let A = 1;\nA *= 2;\n"],
    ["typescript", "let A = 1;\nif (big) { A = 2; }\n"],
    ["python", "A = 1\nA = B = 2\n"],
    ["python", "A = 1\nA, B = 3, 4\n"],
    ["python", "A = 1\nA *= 2\n"],
    ["python", "A = 1\nif big:\n    A = 2\n"],
  ];
  for (const [language, source] of cases)
    it(`is refused, since its new value would not hold: ${JSON.stringify(source)}`, () => {
      expect(() => rewriteConstants(source, language, { A: 9 })).toThrow(
        /A is assigned on line 1 and again on line [23]/,
      );
    });

  it("is not one that is only read, compared, part of another name or local to a function", () => {
    const python = "A = 1\nB = A\nC = f(A=2)\nx.A = 3\nAB = 4\nd[A] = 5\ndef f():\n    A = 6\nif A == 1: pass\n";
    expect(rewriteConstants(python, "python", { A: 9 })).toBe(python.replace("A = 1", "A = 9"));
    const typescript = "const A = 1;\nlet b = A;\nb = A;\nx.A = 3;\nfunction f() { let A = 2; A = 3; }\n";
    expect(rewriteConstants(typescript, "typescript", { A: 9 })).toBe(typescript.replace("A = 1", "A = 9"));
  });
});

it("a space can be read from the constants", () => {
  const rate = discoverSpace("rate = 0.003\n", "python", ["rate"]).parameters;
  expect(rate).toEqual({ rate: { type: "float", min: 0.0003, max: 0.03, scale: "log", default: 0.003 } });
  expect(
    discoverSpace(typescript, "typescript", ["DEPTH", "TOTAL_BATCH_SIZE", "BETAS", "FLAG", "PATTERN"]).parameters,
  ).toEqual({
    DEPTH: { type: "int", min: 1, max: 4, default: 2 },
    TOTAL_BATCH_SIZE: { type: "int", min: 512, max: 8192, scale: "pow2", default: 2048 },
    BETAS: {
      type: "tuple",
      items: [
        { type: "float", min: 0, max: 1 },
        { type: "float", min: 0, max: 1 },
      ],
      default: [0.8, 0.95],
    },
    FLAG: { type: "bool", default: false },
  });
});
