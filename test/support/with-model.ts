import type { Config, Model } from "../../core/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { exchangesIn, llm, type LlmOptions } from "../../plugins/llm/index.ts";
import { proposeLlm } from "../../plugins/propose-llm/index.ts";
import { sound } from "./author.ts";
import { modelServer, sensible, type Asked, type Reaction } from "./model-server.ts";
import { emptyFolder, run } from "./run.ts";

/** A small step of `a` for every question. */
export const values = ({ number }: Asked): object => ({ a: Number((0.95 - 0.01 * (number % 70)).toFixed(2)) });
/** Runs a config with a model behind a server of its own. */
export async function withModel({
  config,
  model = {},
  code,
  answers = sensible({ values, code: code ?? sound("trust-region") }),
  react,
  folder = emptyFolder(),
  url,
  signal,
}: {
  config?: (llm: Model) => Partial<Config>;
  model?: Partial<LlmOptions>;
  code?: string;
  answers?: (asked: Asked) => object;
  react?: (asked: Asked) => Reaction | undefined;
  folder?: string;
  /** The address of an earlier server, to answer there again. */
  url?: string;
  signal?: AbortSignal;
} = {}) {
  const server = await modelServer(answers, react, url ? Number(new URL(url).port) : 0);
  try {
    const made = llm({ model: "scripted", baseURL: server.url, timeoutSeconds: 5, retries: 0, ...model });
    const given = config?.(made) ?? {};
    const whole = {
      llm: made,
      proposer: proposeLlm(),
      levels: [innerLoop({ confirm: 0 })],
      budget: { trials: 8 },
      ...given,
    };
    const ran = await run(whole, { folder, signal });
    return { ...ran, asked: server.asked, exchanges: exchangesIn(folder, ran.facts), url: server.url, whole };
  } finally {
    await server.close();
  }
}

export const proposals = (asked: readonly Asked[]): Asked[] => asked.filter(({ purpose }) => purpose === "proposal");
export const promptOf = (asked: Asked | undefined): string => asked?.body.messages.at(-1)?.content ?? "";
