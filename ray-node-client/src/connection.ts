import { validateHeaderName, validateHeaderValue } from "node:http";
import { Agent, EnvHttpProxyAgent, ProxyAgent, request, type Dispatcher } from "undici";
import { isPassing, jsonOf, refusalOf, type Answer } from "./answer.ts";
import { InfrastructureError, RayError, RefusedError, TimeoutError } from "./errors.ts";
import { sleep } from "./sleep.ts";
import { tokenFrom, tokenFromEnvironment, type TokenSource } from "./token.ts";
import { textMessages, type WebSocketOptions } from "./web-socket.ts";

/** How a client reaches its dashboard. All of it has a default that suits a head on the same machine. */
export interface ConnectionOptions {
  /** Default: as Ray's own clients do, from RAY_AUTH_MODE, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH and `~/.ray`. */
  token?: TokenSource;
  /** The header that carries the token; `X-Ray-Authorization` is for proxies that use Authorization themselves. */
  tokenHeader?: "Authorization" | "X-Ray-Authorization";
  /** Sent with every request, after those of RAY_JOB_HEADERS (a JSON object); cookies go here too. */
  headers?: Readonly<Record<string, string>>;
  /** Certificates (PEM) to trust instead of the built-in ones. */
  ca?: string | Buffer | (string | Buffer)[];
  /** False trusts any certificate. Default true. */
  rejectUnauthorized?: boolean;
  /** A proxy's URL; false for none. Default: HTTP_PROXY, HTTPS_PROXY and NO_PROXY decide. */
  proxy?: string | false;
  /** How long one request may take, in ms; uploads get at least 120,000. Default 30,000. */
  timeoutMs?: number;
  /**
   * How long a call is repeated while the server cannot be reached or says "not now", in ms. Default 30,000; 0: never.
   */
  retryForMs?: number;
}

/** One call: what is asked, and how long and how often it is tried. */
export interface Call {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the address, with its query; parts that come from outside are percent-encoded by the caller. */
  path: string;
  json?: unknown;
  bytes?: Uint8Array;
  /** What it is given even where requests get less, in ms. */
  atLeastMs?: number;
  signal?: AbortSignal | undefined;
  /**
   * A plain 500 is an answer. Else it is asked again a few times: the dashboard's part for jobs may be starting anew.
   */
  isPlain500Final?: boolean;
  /** Called before each repetition, with the failure that led to it. */
  onRetry?: (error: RayError) => void;
}

/** What makes Ray take a request for a browser's, which may only read. */
const browserLike = /^(origin|referer|sec-fetch-.*|access-control-request-.*)$/i;

const defaultTimeoutMs = 30_000;

/** With the pauses between, these last longer than the second that a crashed part of the dashboard is away. */
const repeatsOf500 = 4;

const isPlain500 = (error: unknown): error is RayError =>
  error instanceof RayError && error.code === "SERVER_ERROR" && error.status === 500;

/** Requests to one dashboard over kept-alive connections. Every call of it is safe to repeat, so it does. */
export class Connection {
  readonly address: string;
  readonly #dispatcher: Dispatcher;
  readonly #options: ConnectionOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #token: TokenSource;
  readonly #closing = new AbortController();

  constructor(address: string, options: ConnectionOptions, env: Readonly<Record<string, string | undefined>>) {
    this.address = address;
    this.#options = options;
    this.#headers = checkHeaders({ ...headersFromEnvironment(env.RAY_JOB_HEADERS), ...options.headers });
    const isGiven = Object.keys(this.#headers).some((name) => name.toLowerCase() === "authorization");
    this.#token = options.token ?? (isGiven ? false : tokenFromEnvironment(env));
    if (typeof this.#token === "string") this.#withToken(this.#token);
    this.#dispatcher = dispatcherOf(options);
  }

  /** The headers of a request, the token among them. */
  async #allHeaders(): Promise<Readonly<Record<string, string>>> {
    const token = await tokenFrom(this.#token);
    return token === false ? this.#headers : this.#withToken(token);
  }

  #withToken(token: string): Readonly<Record<string, string>> {
    const name = (this.#options.tokenHeader ?? "Authorization").toLowerCase();
    return { ...this.#headers, ...checkHeaders({ [name]: `Bearer ${token.trim()}` }) };
  }

  /** The JSON of a good answer. */
  async json(call: Call): Promise<unknown> {
    return jsonOf(await this.send(call), `${call.method} ${call.path}`);
  }

  /** A good answer; throws the error that any other, or none, stands for. */
  async send(call: Call): Promise<Answer> {
    const { retryForMs = 30_000 } = this.#options;
    const giveUp = performance.now() + retryForMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(call);
      } catch (error) {
        const pauseMs = Math.min(100 * 2 ** attempt, 2000) * (0.5 + Math.random() / 2);
        const isRepeated = isPassing(error) || (attempt < repeatsOf500 && isPlain500(error) && !call.isPlain500Final);
        if (!isRepeated || performance.now() + pauseMs > giveUp) throw error;
        call.onRetry?.(error);
        await this.pause(pauseMs, call.signal);
      }
    }
  }

  /**
   * The body of a good answer as it comes. `whole`: it ends by itself, and what it goes on with comes in time. Not
   * repeated. Throws the signal's reason on abort.
   */
  stream(
    path: string,
    signal: AbortSignal = new AbortController().signal,
    { whole = false } = {},
  ): AsyncGenerator<Uint8Array> {
    return this.#following(path, signal, (url, options) => bodyOf(url, options, whole ? options.timeoutMs : 0));
  }

  /** The text messages of a WebSocket. Not repeated. Throws the signal's reason on abort. */
  messages(path: string, signal: AbortSignal): AsyncGenerator<string> {
    return this.#following(path, signal, textMessages);
  }

  /** Sleeps between two requests of one call; throws the signal's reason, or `CLOSED` once the client is closed. */
  async pause(ms: number, signal?: AbortSignal): Promise<void> {
    const closing = this.#closing.signal;
    try {
      await sleep(ms, signal ? AbortSignal.any([signal, closing]) : closing);
    } catch {
      signal?.throwIfAborted();
      throw closed();
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#dispatcher.destroy();
  }

  async *#following<Piece>(
    path: string,
    signal: AbortSignal,
    follow: (url: string, options: WebSocketOptions) => AsyncIterable<Piece>,
  ): AsyncGenerator<Piece> {
    try {
      signal.throwIfAborted();
      const { timeoutMs = defaultTimeoutMs } = this.#options;
      const options = { dispatcher: this.#dispatcher, headers: await this.#allHeaders(), signal, timeoutMs };
      yield* follow(this.address + path, options);
    } catch (error) {
      signal.throwIfAborted();
      if (this.#closing.signal.aborted) throw closed();
      throw failureOfRequest(error, `GET ${path}`, this.address);
    }
  }

  async #once({ method, path, json, bytes, atLeastMs = 0, signal }: Call): Promise<Answer> {
    const limitMs = Math.max(this.#options.timeoutMs ?? defaultTimeoutMs, atLeastMs);
    const deadline = AbortSignal.timeout(limitMs);
    const name = `${method} ${path}`;
    try {
      const { statusCode, headers, body } = await request(this.address + path, {
        dispatcher: this.#dispatcher,
        method,
        headers: {
          ...(await this.#allHeaders()),
          ...(json === undefined ? {} : { "content-type": "application/json" }),
        },
        body: json === undefined ? (bytes ?? null) : JSON.stringify(json),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        headersTimeout: 0, // the deadline is for all of it
        bodyTimeout: 0,
      });
      const answer: Answer = { status: statusCode, headers, text: await body.text() };
      if (statusCode >= 200 && statusCode < 300) return answer;
      throw refusalOf(answer, name);
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#closing.signal.aborted) throw closed();
      if (deadline.aborted) {
        throw new TimeoutError("REQUEST_TIMEOUT", `${name}: no answer within ${limitMs / 1000} s`, { cause: error });
      }
      throw failureOfRequest(error, name, this.address);
    }
  }
}

async function* bodyOf(
  url: string,
  { timeoutMs, ...options }: WebSocketOptions,
  bodyTimeout: number,
): AsyncGenerator<Uint8Array> {
  const { statusCode, headers, body } = await request(url, { ...options, headersTimeout: timeoutMs, bodyTimeout });
  if (statusCode !== 200) throw refusalOf({ status: statusCode, headers, text: await body.text() }, `GET ${url}`);
  yield* body as AsyncIterable<Uint8Array>;
}

const closed = (): RefusedError => new RefusedError("CLOSED", "the client is closed");

/** What a failed request stands for: errors of this package as they are, those of the network by their code. */
function failureOfRequest(error: unknown, name: string, address: string): unknown {
  const { code = "", message } = error as { code?: string; message: string };
  if (error instanceof RayError || !(error instanceof Error)) return error;
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO/.test(code)) {
    const hint = "pass the authority's certificate as `ca`";
    return new InfrastructureError("TLS", `${name}: ${message} (${code}; ${hint})`, { cause: error });
  }
  if (/^(UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED)$/.test(code)) return invalid(`${name}: ${message}`, error);
  if (error.name === "HTTPParserError") {
    const text = `${name}: ${address} does not speak HTTP (${message}); is it that of a Ray dashboard?`;
    return new RefusedError("NOT_RAY", text, { cause: error });
  }
  if (/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code)) {
    return new TimeoutError("REQUEST_TIMEOUT", `${name}: ${address} fell silent`, { cause: error });
  }
  if (/Proxy/.test(message)) return new InfrastructureError("PROXY", `${name}: ${message}`, { cause: error });
  if (!/^(E[A-Z_]+|UND_ERR_.*)$/.test(code)) return error;
  const text = `${name}: ${address} cannot be reached: ${message || code}`;
  return new InfrastructureError("UNREACHABLE", text, { cause: error });
}

function dispatcherOf({ ca, rejectUnauthorized, proxy }: ConnectionOptions): Dispatcher {
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
  if (proxy === false) return new Agent({ connect: tls });
  const options = { connect: tls, requestTls: tls, proxyTls: tls };
  try {
    return proxy === undefined ? new EnvHttpProxyAgent(options) : new ProxyAgent({ uri: proxy, ...options });
  } catch (cause) {
    throw invalid(`the proxy's URL: ${(cause as Error).message}`, cause);
  }
}

function headersFromEnvironment(json: string | undefined): Record<string, string> {
  if (!json) return {};
  try {
    return JSON.parse(json) as Record<string, string>;
  } catch (cause) {
    throw invalid("RAY_JOB_HEADERS is no JSON", cause);
  }
}

function checkHeaders(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (browserLike.test(name) || (/^user-agent$/i.test(name) && value.startsWith("Mozilla"))) {
      throw invalid(`headers: with ${name} Ray takes the client for a browser and refuses it`);
    }
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (cause) {
      throw invalid(`headers: ${(cause as Error).message}`, cause); // tells no value: it may be secret
    }
  }
  return headers;
}

const invalid = (message: string, cause?: unknown): RefusedError =>
  new RefusedError("INVALID_OPTIONS", message, { cause });
