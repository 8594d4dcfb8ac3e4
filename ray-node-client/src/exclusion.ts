/**
 * Which paths a list of patterns excludes, as Ray's Python client decides it: the patterns of .gitignore, the last one
 * that matches wins. Unlike with Git, `!` can take back a file below an excluded folder's pattern `name/`, since the
 * folder itself is not matched by that and is looked into.
 */
export function excluder(patterns: readonly string[]): (path: string) => boolean {
  const rules = patterns.map(ruleOf).filter((rule) => rule !== undefined);
  return (path) => {
    const parts = path.split("/");
    return rules.findLast((rule) => rule.matches(parts))?.excludes ?? false;
  };
}

interface Rule {
  excludes: boolean;
  matches(path: readonly string[]): boolean;
}

/** Any number of folders, one name whatever it is, or a name that fits. */
type Part = "**" | "*" | RegExp;

function ruleOf(line: string): Rule | undefined {
  const text = line.trim();
  if (text === "" || text === "/" || text === "!" || text.startsWith("#")) return undefined;
  const excludes = !text.startsWith("!");
  const names = (excludes ? text : text.slice(1)).replace(/^\\/, "").split("/");
  if (names[0] === "") names.shift();
  else if (names.length === 1 || (names.length === 2 && names[1] === "")) {
    if (names[0] !== "**") names.unshift("**"); // a bare name is meant at every depth
  }
  if (names.at(-1) === "" && names.length > 1) names[names.length - 1] = "**"; // `name/`: what is below it
  const parts = names.map((name): Part => (name === "**" || name === "*" ? name : globOf(name)));
  // two leading `**` want an empty name between them, which no path has
  if (parts[0] === "**" && parts[1] === "**") return { excludes, matches: () => false };
  return { excludes, matches: (path) => fits(parts, path, excludes) };
}

/**
 * Whether the parts, from the first on, fit the whole path; where `deep`, a name also stands for all that is below it.
 */
function fits(parts: readonly Part[], path: readonly string[], deep: boolean): boolean {
  const [part, ...rest] = parts;
  const [name, ...below] = path;
  if (part === undefined) return name === undefined;
  if (part === "**") {
    if (rest.length === 0) return name !== undefined;
    return path.some((_, at) => fits(rest, path.slice(at), deep));
  }
  if (name === undefined) return false;
  if (part === "*") return name !== "" && fits(rest, below, deep);
  if (!part.test(name)) return false;
  return (rest.length === 0 && deep) || fits(rest, below, deep);
}

/** The wildcards within one name: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before what is meant literally. */
function globOf(name: string): RegExp {
  const tokens = /\\(.?)|\*|\?|\[(?:(!)|(?!!))(\][^\]]*|[^\]]+)\]|[^]/gs;
  const source = name.replace(tokens, (token: string, escaped?: string, negation?: string, set?: string) => {
    if (escaped !== undefined) return literal(escaped);
    if (token === "*") return ".*";
    if (token === "?") return ".";
    if (set !== undefined) return `[${negation ? "^" : ""}${set.replace(/[\\\][^]/g, "\\$&")}]`;
    return literal(token);
  });
  return new RegExp(`^${source}$`, "s");
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
