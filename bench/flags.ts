import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** A benchmark's flags. What it does not take ends it with one line and code 2. */
export function flagsOf<const T extends ParseArgsOptionsConfig>(options: T) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const [said] = (error as Error).message.split(". ");
    const taken = Object.entries(options).map(([name, { type }]) => (type === "string" ? `--${name} …` : `--${name}`));
    return refuse(`${said}: this benchmark takes ${taken.join(", ")}`);
  }
}

/** A flag's whole number, above 0. */
export function countOf(flag: string, text: string): number {
  return /^[1-9]\d*$/.test(text) ? Number(text) : refuse(`--${flag} takes a whole number above 0, not "${text}"`);
}

export function refuse(why: string): never {
  console.error(why);
  process.exit(2);
}
