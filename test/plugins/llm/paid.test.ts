import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import { journalFile, resolveConfig, type Fact, type Trial } from "../../../core/index.ts";
import { streamOf } from "../../../kit/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { costOf, exchangesIn, llm, type LlmOptions } from "../../../plugins/llm/index.ts";
import { Purse } from "../../../plugins/llm/purse.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { proposeLlm } from "../../../plugins/propose-llm/index.ts";
import { modelAccount, summaryLines } from "../../../plugins/report/index.ts";
import { space } from "../../support/bowl.ts";
import { completion, modelServer, send, sensible, type Asked, type Reaction } from "../../support/model-server.ts";
import { emptyFolder, lasting, ofType, run } from "../../support/run.ts";
import { withModel, proposals, promptOf, values } from "../../support/with-model.ts";

describe("what is paid for", () => {
  it("is never paid for twice: a run cut after any line asks only for what the journal does not hold, and ends the same", async () => {
    const levels = () => [
      innerLoop({ confirm: 0 }),
      outerLoop({ name: "policy", changes: "policy" as const, every: 4 }),
    ];
    const answers = (asked: Asked): object =>
      sensible({ values: () => ({ a: Number(streamOf("answer", promptOf(asked))().toPrecision(4)) }) })(asked);
    const config = () => ({ levels: levels(), budget: { trials: 8 } });
    const first = await withModel({ answers, config });
    const lines = readFileSync(journalFile(first.folder), "utf8").split("\n").slice(0, -1);
    for (const cut of [12, 20, 30, 41].filter((one) => one < lines.length)) {
      const folder = emptyFolder();
      writeFileSync(journalFile(folder), lines.slice(0, cut).join("\n").replaceAll(first.url, "@server@") + "\n");
      const paid = exchangesIn(
        folder,
        lines.slice(0, cut).map((line) => JSON.parse(line) as Fact),
      ).length;
      const server = await modelServer(answers);
      const made = llm({ model: "scripted", baseURL: server.url, timeoutSeconds: 5, retries: 0 });
      writeFileSync(journalFile(folder), readFileSync(journalFile(folder), "utf8").replaceAll("@server@", server.url));
      const { facts } = await run({ llm: made, proposer: proposeLlm(), ...config() }, { folder });
      await server.close();
      expect(server.asked.length).toBe(first.asked.length - 1 - paid); // the first question is not asked again
      const decided = (of: readonly Fact[]) =>
        lasting(ofType(of, "turn")).map((fact) => ({ ...(fact as Fact), n: 0, seen: 0 }));
      expect(decided(facts)).toEqual(decided(first.facts));
    }
  });

  it("can be computed again without the server", async () => {
    const { folder, whole } = await withModel({
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 4 })],
        budget: { trials: 12 },
      }),
    });
    const config = resolveConfig(
      {
        objective: { metric: "loss", direction: "minimize" },
        space,
        evaluator: { name: "bowl", contract: 1 },
        ...whole,
      },
      "c.ts",
    ).config;
    expect(await replay(folder, config)).toBeGreaterThan(12);
  });

  it("is exported to llm.jsonl, from which the same run is answered again: equal journals but for what is volatile", async () => {
    const levels = () => [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 4 })];
    const first = await withModel({ config: () => ({ levels: levels(), budget: { trials: 12 } }) });
    const again = llm({ model: "scripted", baseURL: first.url, timeoutSeconds: 5, retries: 0 });
    again.replay(join(first.folder, "llm.jsonl"), false);
    const { facts } = await run({ llm: again, proposer: proposeLlm(), levels: levels(), budget: { trials: 12 } });
    expect(lasting(facts)).toEqual(lasting(first.facts));
  });

  it("is not answered from a file that is no recording, which says where", () => {
    const file = join(emptyFolder(), "llm.jsonl");
    for (const [text, received] of [
      ["{}", "its first line is not that of a recording"],
      [
        '{"recording":1,"answeredBy":"x"}\n{"question":{"pur',
        'line 2 holds no question and its answer: {"question":{"pur',
      ],
      ['{"recording":1,"answeredBy":"x"}\nnull\n', "line 2 holds no question and its answer: null"],
    ] as const) {
      writeFileSync(file, text);
      const model = llm({ model: "scripted", baseURL: "http://127.0.0.1:9/v1" });
      expect(() => model.replay(file, false)).toThrow(
        expect.objectContaining({ code: "E_MODEL", details: expect.objectContaining({ received }) as object }) as Error,
      );
    }
  });

  it("is answered from llm.jsonl up to where the budget ended the run, or the asking", async () => {
    for (const onBudget of ["end", "continue"] as const) {
      const model = { maxTokens: 100, onBudget };
      const config = () => ({ budget: { trials: 10, tokens: 1200 } });
      const first = await withModel({ model, config });
      const again = llm({ model: "scripted", baseURL: first.url, timeoutSeconds: 5, retries: 0, ...model });
      again.replay(join(first.folder, "llm.jsonl"), false);
      const { facts, end } = await run({ ...first.whole, llm: again, levels: [innerLoop({ confirm: 0 })] });
      expect(end.reason).toBe(first.end.reason);
      expect(lasting(facts)).toEqual(lasting(first.facts));
    }
  });

  it("is not asked for any more once the run is stopped: an answer under way is waited for, a failed question asked again", async () => {
    const stop = new AbortController();
    const folder = emptyFolder();
    const stopping: Reaction = (response) => {
      setTimeout(() => stop.abort(), 20);
      send(response, 503, { error: { message: "slow down" } }, { "retry-after": "50" });
    };
    const config = () => ({ budget: { trials: 4 } });
    const model = { retries: 3 };
    const first = await withModel({
      model,
      folder,
      config,
      signal: stop.signal,
      react: ({ number }) => (number === 2 ? stopping : undefined),
    });
    expect(first.end.interrupted).toBe(true);
    expect(first.asked).toHaveLength(3); // the first question, an answer, the fault
    expect(first.exchanges).toHaveLength(1);
    const { exchanges, end } = await withModel({ model, folder, config, url: first.url });
    expect(exchanges[0]).toEqual(first.exchanges[0]);
    expect(exchanges.filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(end.levels.get("inner")?.budget.used).toBe(4);
  });

  it("ends with the budget of tokens or dollars, the run goes on with the search alone", async () => {
    const tokens = await withModel({
      model: { maxTokens: 100 },
      config: () => ({ budget: { trials: 10, tokens: 600 } }),
    });
    expect(proposals(tokens.asked).length).toBeLessThan(6);
    expect(tokens.exchanges.at(-1)?.failed).toBe("the budget of 600 tokens is used up");
    expect(tokens.end.levels.get("inner")?.budget.used).toBe(10);
    const price = { input: 1000, cachedInput: 100, output: 5000 };
    const usd = await withModel({
      model: { maxTokens: 100, price },
      config: () => ({ budget: { trials: 10, usd: 1.2 } }),
    });
    expect(usd.exchanges.at(-1)?.failed).toBe("the budget of 1.2 dollars is used up");
    expect(summaryLines([...usd.end.levels.values()], "x", usd).join("\n")).toMatch(
      /model: \d proposed, \d kept, [\d,]+ tokens, \$\d\.\d\d; search: \d/,
    );
  });

  it("ends the run in good order instead where onBudget says so; a resumed run with more goes on", async () => {
    const folder = emptyFolder();
    const model = { maxTokens: 100, onBudget: "end" as const };
    const config = (tokens: number) => () => ({ budget: { trials: 10, tokens } });
    const { end, facts, asked, url } = await withModel({ model, folder, config: config(1200) });
    expect(end.reason).toBe("the budget of 1,200 tokens is used up");
    expect(end.levels.get("inner")?.budget.used).toBeLessThan(10);
    expect(facts.at(-1)).toMatchObject({ type: "end", reason: end.reason });
    expect(proposals(asked).length).toBeGreaterThan(1);
    const more = await withModel({ model, folder, url, config: config(100_000) });
    expect(more.end.levels.get("inner")?.budget.used).toBe(10);
    expect(more.end.reason).toBe("the budget of 10 trials is used up");
  });

  it("counts what a call may take before it is made: prompt and answer, those under way included", () => {
    const purse = new Purse({ tokens: 1000 }, false);
    const most = { input: 300, cached: 0, output: 200 };
    const [first, second] = [purse.commit(most, undefined), purse.commit(most, undefined)];
    expect(purse.commit(most, undefined)).toEqual({ broken: "the budget of 1,000 tokens is used up" });
    if ("release" in first) first.release();
    purse.spend({ input: 250, cached: 0, output: 50 });
    expect(purse.commit({ ...most, output: 0 }, undefined)).toEqual({
      broken: "the budget of 1,000 tokens is used up",
    });
    if ("release" in second) second.release();
    expect("release" in purse.commit(most, undefined)).toBe(true);
  });

  it("has a price for every model that is asked, cached tokens at theirs", async () => {
    const { exchanges, asked } = await withModel({
      model: {
        price: { input: 1000, output: 2000 },
        models: { research: { model: "larger", price: { input: 10_000, output: 20_000 } }, critique: "other" },
      },
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 5 })],
        budget: { trials: 8, usd: 100 },
      }),
    });
    const models = new Map(asked.map(({ purpose, body }) => [purpose, body.model]));
    expect(Object.fromEntries(models)).toMatchObject({
      proposal: "scripted",
      explore: "larger",
      critique: "other",
      generate: "larger",
    });
    const usd = (purpose: string) => exchanges.find((one) => one.purpose === purpose)?.usd;
    expect(usd("proposal")).toBeCloseTo(0.14, 9); // 100 tokens in, 20 out
    expect(usd("explore")).toBeCloseTo(1.4, 9);
    expect(usd("critique")).toBeCloseTo(0.14, 9);
    expect(costOf({ input: 100, cached: 60, output: 10 }, { input: 2, cachedInput: 1, output: 4 })).toBeCloseTo(
      180 / 1e6,
      12,
    );
  });

  it("is what the server counts: cached tokens are part of the prompt, thoughts that are in the total alone are paid for", async () => {
    const usageOf = async (usage: object) => {
      const react = (): Reaction => (response, one) =>
        send(response, 200, completion(JSON.stringify(sensible({ values })(one)), { usage }));
      return (await withModel({ react, config: () => ({ budget: { trials: 1 } }) })).exchanges[0]?.usage;
    };
    const counted = { prompt_tokens: 100, completion_tokens: 20 };
    expect(await usageOf({ ...counted, prompt_tokens_details: { cached_tokens: 5000 } })).toEqual({
      input: 100,
      cached: 100,
      output: 20,
    });
    expect(await usageOf({ ...counted, total_tokens: 620 })).toEqual({ input: 100, cached: 0, output: 520 });
    expect(await usageOf({ ...counted, total_tokens: 20 })).toEqual({ input: 100, cached: 0, output: 20 });
  });

  it("is told by level, by trial and for tests; the parts add up", async () => {
    const { folder, facts, end } = await withModel({
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "policy", changes: "policy", every: 4 })],
        budget: { trials: 12 },
      }),
    });
    const account = modelAccount(folder, facts);
    const sum = (costs: Readonly<Record<string, { calls: number }>>) =>
      Object.values(costs).reduce((total, { calls }) => total + calls, 0);
    expect(sum(account.byLevel)).toBe(account.calls);
    expect(sum(account.byPurpose)).toBe(account.calls);
    const pairs = ofType(facts, "turn").filter(
      ({ tests, trials }) => tests !== undefined && (trials as Trial[]).length === 2,
    );
    expect(pairs.length).toBeGreaterThan(0);
    expect(account.inTests.calls).toBe(pairs.length); // a policy's second draft is a second question
    const [, line] =
      /\n(the model took .*)/.exec(summaryLines([...end.levels.values()], "x", { folder, facts }).join("\n")) ?? [];
    expect(line).toMatch(
      /^the model took [\d,]+ tokens in \d+ calls, \d+ tokens a trial: .*inner [\d,]+ tokens.*; second proposals in tests \d+ tokens$/,
    );
  });

  it("is capped where the config has no budget or no price for it, and says what that buys", async () => {
    const noticeOf = async (model: Partial<LlmOptions>, budget = {}) => {
      const { facts } = await withModel({ model, config: () => ({ budget: { trials: 2, ...budget } }) });
      return facts.flatMap(({ type, text }) => (type === "notice" ? [String(text)] : []))[0];
    };
    expect(await noticeOf({})).toBe(
      "the model may spend 2,000,000 tokens (the config sets no budget and no price for it): buys about 870 proposals or 140 research dialogues; 2 trials may ask for up to 2 proposals",
    );
    expect(await noticeOf({ price: { input: 1, output: 2 } })).toMatch(
      /^the model may spend 5 dollars \(the config sets no budget for it\)/,
    );
    expect(await noticeOf({}, { usd: 2 })).toMatch(
      /^the model may spend 2,000,000 tokens \(the config sets no price for it\)/,
    );
    expect(await noticeOf({ price: { input: 1, output: 2 } }, { usd: 0.01 })).toMatch(
      /^the model may spend 0.01 dollars: buys about 3 proposals or 0 research/,
    );
  });

  it("is asked for before the baseline: a rejected key, a missing one and an unknown model fail in seconds, with exit code 3", async () => {
    const reject =
      (status: number): Reaction =>
      (response) =>
        send(response, status, { error: { message: "no" } });
    await expect(withModel({ react: () => reject(401) })).rejects.toMatchObject({ code: "E_MODEL", exitCode: 3 });
    await expect(withModel({ react: () => reject(404) })).rejects.toMatchObject({ code: "E_MODEL" });
    await expect(withModel({ model: { apiKeyEnv: "NO_SUCH_KEY_HERE" } })).rejects.toMatchObject({
      message: expect.stringContaining("NO_SUCH_KEY_HERE is empty") as string,
    });
    process.env.TEST_ODD_KEY = "abc…def";
    await expect(withModel({ model: { apiKeyEnv: "TEST_ODD_KEY" } })).rejects.toMatchObject({
      code: "E_MODEL",
      message: expect.stringContaining("TEST_ODD_KEY holds no key") as string,
    });
  });

  it("is asked for once by a server that hangs, and the run goes on", async () => {
    const { asked, facts, end } = await withModel({
      model: { retries: 3, timeoutSeconds: 0.4 },
      config: () => ({ budget: { trials: 1 } }),
      react: ({ purpose }) => (purpose === "ready" ? () => undefined : undefined),
    });
    expect(asked.filter(({ purpose }) => purpose === "ready")).toHaveLength(1);
    const notices = facts.flatMap(({ type, text }) => (type === "notice" ? [String(text)] : []));
    expect(notices.at(-1)).toMatch(/did not answer the first question: no answer within 0.4 s$/);
    expect(end.levels.get("inner")?.budget.used).toBe(1);
  });

  it("has an address without a name and a password, which would be written down with the config", async () => {
    await expect(withModel({ model: { baseURL: "http://me:hush@127.0.0.1/v1" } })).rejects.toMatchObject({
      code: "E_OPTIONS_INVALID",
    });
  });
});
