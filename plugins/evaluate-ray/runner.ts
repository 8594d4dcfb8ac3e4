import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";

/** Files of Python that run on the cluster lie beside the sources; a compiled copy finds them there too. */
const places = ["./runner/", "../../../plugins/evaluate-ray/runner/"].map((place) => new URL(place, import.meta.url));

/** Where a file of the runner lies on this machine. */
export function runnerPath(name: string): string {
  const [place = ""] = places.map((folder) => new URL(name, folder).pathname).filter((path) => existsSync(path));
  return place;
}

/** The text of a file of the runner, to be sent to the cluster. */
export const runnerText = (name: string): Promise<string> => readFile(runnerPath(name), "utf8");
