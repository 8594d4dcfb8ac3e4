import type { Domain, Space, Value, Values } from "../../core/index.ts";

/** Values as a model wrote them, mended where the meaning is plain ("0.02", "1e-3", 5.0 for a whole number, "true"); the rest as it is, for the space to refuse. */
export const mended = (space: Space, written: Readonly<Record<string, unknown>>): Values =>
  Object.fromEntries(
    Object.entries(written).map(([name, value]) => [name, mend(space.parameters[name], value) as Value]),
  );

function mend(domain: Domain | undefined, value: unknown): unknown {
  if (!domain) return value;
  switch (domain.type) {
    case "float":
    case "int": {
      const number =
        typeof value === "string" && /^\s*[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)
          ? Number(value.replaceAll("_", ""))
          : value;
      if (typeof number !== "number" || !Number.isFinite(number)) return value;
      if (domain.type === "float") return Number(number.toPrecision(6));
      return Math.abs(number - Math.round(number)) < 1e-9 ? Math.round(number) : number;
    }
    case "bool":
      return value === "true" || value === 1 ? true : value === "false" || value === 0 ? false : value;
    case "choice":
      return (
        domain.values.find((one) => one === value) ??
        domain.values.find((one) => String(one).toLowerCase() === String(value).trim().toLowerCase()) ??
        value
      );
    case "tuple": {
      const items = typeof value === "string" ? value.replace(/^[([]|[)\]]$/g, "").split(",") : value;
      return Array.isArray(items) ? items.map((item, index) => mend(domain.items[index], item)) : value;
    }
  }
}
