import { RefusedError } from "./errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The dashboard's port, unless it was started with another. */
const defaultPort = 8265;

/**
 * The dashboard's URL, without a slash at its end: the address given, else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS,
 * else `http://127.0.0.1:8265`. (Python's client lets the environment win over the argument.) Addresses of Ray's own
 * protocols are refused with the dashboard address to try, since only Ray itself can resolve them.
 */
export function resolveAddress(given: string | undefined, env: Environment = process.env): string {
  const sources: readonly [string, string | undefined][] = [
    ["the address", given],
    ["RAY_API_SERVER_ADDRESS", env.RAY_API_SERVER_ADDRESS],
    ["RAY_ADDRESS", env.RAY_ADDRESS],
  ];
  const [source, address] = sources.find(([, value]) => value !== undefined && value !== "") ?? ["", undefined];
  return address === undefined ? `http://127.0.0.1:${defaultPort}` : parse(source, address);
}

function parse(source: string, address: string): string {
  if (!/^https?:\/\//i.test(address)) throw foreign(source, address);
  const url = URL.parse(address);
  if (url === null) throw refused(`${source} ${JSON.stringify(address)} is no URL`);
  if (url.username !== "" || url.password !== "") {
    throw refused(`${source} holds a user name or password: pass headers: { authorization: … } instead`);
  }
  if (url.search !== "" || url.hash !== "")
    throw refused(`${source} ${JSON.stringify(address)} has a query or a fragment`);
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** What is no http(s) URL: an address of Ray's own protocols, or one that lacks its scheme. */
function foreign(source: string, address: string): RefusedError {
  const [, scheme, host, port] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?/i.exec(address) ?? [];
  if (scheme !== undefined && scheme !== "ray") {
    return refused(`${source} ${JSON.stringify(address)} has a scheme that is neither http nor https`);
  }
  const isLocal = host === undefined || host === "" || host === "auto" || host === "local";
  const isDashboard = scheme === undefined && port !== undefined && port !== "6379" && port !== "10001";
  const suggestion = `http://${isLocal ? "127.0.0.1" : host}:${isDashboard ? port : defaultPort}`;
  const what =
    scheme === "ray"
      ? "is for Ray Client, which only Python speaks"
      : isDashboard
        ? "lacks its scheme"
        : "is the address of the cluster's own processes";
  return refused(`${source} ${JSON.stringify(address)} ${what}; try the dashboard: ${suggestion}`);
}

const refused = (message: string): RefusedError => new RefusedError("INVALID_ADDRESS", message);
