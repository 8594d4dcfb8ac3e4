import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Value } from "../../../core/index.ts";
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

  it("have the value of the literal, and of arithmetic with literals; anything else has none", () => {
    const values: [text: string, value: unknown][] = [
      ["2 + 3", 5],
      ["5 - 2", 3],
      ["3 * 4", 12],
      ["7 / 2", 3.5],
      ["7 // 2", 3],
      ["-7 // 2", -4],
      ["2 ** 3", 8],
      ["-2 ** 2", -4],
      ["1 << 20", 1048576],
      ["8 * (1 + 2)", 24],
      ["+3", 3],
      ["0x10", 16],
      ["1e-3", 0.001],
      [".5", 0.5],
      ["7 % 2", undefined],
      ["~3", undefined],
      ["not True", undefined],
      ["True + 1", undefined],
      ["1j", undefined],
      ["2 * n", undefined],
      ["[1, n]", undefined],
      ["(1, (2, 'a'))", [1, [2, "a"]]],
      [String.raw`"a\n\x41\u00e9\\"`, "a\nA\u00e9\\"],
      [String.raw`r"a\n"`, String.raw`a\n`],
      ['"""a"b"""', 'a"b'],
      ["u'a'", "a"],
      ["b'a'", undefined],
      ["'a' + 'b'", undefined],
    ];
    for (const [text, value] of values)
      expect([text, findConstants(`X = ${text}\n`, "python")[0]?.value]).toEqual([text, value]);
  });

  it("are written in their language's words, also where a list gets other items", () => {
    const written = (text: string, value: Value, language: "python" | "typescript" = "python") =>
      rewriteConstants(`const X = ${text}`.slice(language === "python" ? 6 : 0), language, { X: value }).split(
        " = ",
      )[1];
    expect(written("(1, 2)", [3])).toBe("(3,)");
    expect(written("()", [1, 2])).toBe("(1, 2)");
    expect(written("[1, 2]", [3])).toBe("[3]");
    expect(written("[1, 2]", [true, "a", [0.5, false]])).toBe('[True, "a", [0.5, False]]');
    expect(written("[1, 2]", [true, "a", [0.5, false]], "typescript")).toBe('[true, "a", [0.5, false]]');
    expect(written("(1, True)", [2, false])).toBe("(2, False)");
    expect(written("2**4", 24)).toBe("24");
    expect(written("2 ** 4", 0)).toBe("0");
    expect(written("12**4", 16)).toBe("16");
    expect(written("0x1e", 32)).toBe("32");
    expect(written("1e3", 2000)).toBe("2000.0");
    expect(written("8 * 1024", 4096)).toBe("4096");
    expect(written(String.raw`r"a\n"`, String.raw`b\n`)).toBe(String.raw`"b\\n"`);
    expect(written('"a"', "it's")).toBe(`"it's"`);
    expect(written("1 as const", 2, "typescript")).toBe("2 as const");
    expect(() => written("[1] as const", [[1]], "typescript")).not.toThrow();
    expect(() => written("1 as number", [1], "typescript")).toThrow(/no list/);
  });

  it("are names alone: no items, no attributes, not two at once, and nothing of a statement that assigns none", () => {
    const names = (source: string, language: "python" | "typescript") =>
      findConstants(source, language).map(({ name, line }) => `${name} ${line}`);
    expect(
      names("x.A = 1\nd['B'] = 2\nC = D = 3\nE, F = 4, 5\nG += 6\nH: int\nI = 7, 8\nJ = 9 # end\n", "python"),
    ).toEqual(["J 8"]);
    expect(names("let a;\nlet b: number;\nconst { c } = d;\nx.e = 1;\nlet f /* six */ = 6;\n", "typescript")).toEqual([
      "f 5",
    ]);
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
    expect(rewriteConstants("\uFEFFDEPTH = 8\r\n", "python", { DEPTH: 9 })).toBe("\uFEFFDEPTH = 9\r\n");
    expect(rewriteConstants("\uFEFFlet a = 8;\r\na++;\r\nlet b = 1;", "typescript", { b: 2 })).toBe(
      "\uFEFFlet a = 8;\r\na++;\r\nlet b = 2;",
    );
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
    expect(() => rewriteConstants(`X = f(${"y".repeat(90)})\n`, "python", { X: 1 })).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({ received: `f(${"y".repeat(58)}` }) as object,
      }) as Error,
    );
    expect(() => rewriteConstants("print(1)\n", "python", { X: 1 })).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({
          allowed: "a module-level constant",
          hint: "add a line X = … to the file",
        }) as object,
      }) as Error,
    );
    for (const file of ["train.pyc", "train.js.map", "train.rb", "py"])
      expect(() => languageOf(file)).toThrow(expect.objectContaining({ code: "E_TASK_INVALID" }) as Error);
    expect(["a.py", "b/a.pyw"].map(languageOf)).toEqual(["python", "python"]);
    const others = ["a.ts", "a.js", "a.mts", "a.cjs", "a.tsx", "a.jsx"];
    expect(new Set(others.map(languageOf))).toEqual(new Set(["typescript"]));
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
  const range = (text: string) => discoverSpace(`X = ${text}\n`, "python").parameters.X;
  const [int, float] = [{ type: "int" }, { type: "float" }];
  expect(range("16")).toEqual({ ...int, min: 4, max: 64, scale: "pow2", default: 16 });
  expect(range("15")).toEqual({ ...int, min: 8, max: 30, default: 15 });
  expect(range("8")).toEqual({ ...int, min: 4, max: 16, default: 8 });
  expect(range("0.1")).toEqual({ ...float, min: 0, max: 1, default: 0.1 });
  expect(range("0.0")).toEqual({ ...float, min: 0, max: 1, default: 0 });
  expect(range("1.0")).toEqual({ ...float, min: 0, max: 1, default: 1 });
  expect(range("1.5")).toEqual({ ...float, min: 0.15, max: 15, scale: "log", default: 1.5 });
  expect(range("1.23456789e-4")).toEqual({
    ...float,
    min: 1.23456789e-5,
    max: 1.23456789e-3,
    scale: "log",
    default: 1.23456789e-4,
  });
  for (const none of ["0", "1", "-3", "-0.5", '"text"', "f()", "()", '(0.5, "a")', "(0.5, 0)"])
    expect(range(none)).toBeUndefined();
  expect(Object.keys(discoverSpace("A = 4\nB_2 = 4\nb = 4\nCamel = 4\n_D = 4\n", "python").parameters)).toEqual([
    "A",
    "B_2",
  ]);
});
