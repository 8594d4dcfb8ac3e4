import type { Plugin } from "bilevel";

export interface HttpOptions {
  /** The service: POST `{ values, seed }`, answered by `{ "loss": 0.3 }`. */
  url: string;
}

/** A service on the network measures the trials. */
export default function http(options: HttpOptions): Plugin;
