import { defineConfig } from "vitest/config";

const at = (path: string): string => new URL(path, import.meta.url).pathname;

/** Sources are tested as they are; a config's imports from "bilevel" get them too. */
const alias = [
  { find: /^bilevel$/, replacement: at("./index.ts") },
  { find: /^bilevel\/kit$/, replacement: at("./kit/index.ts") },
  { find: /^bilevel\/mechanisms\/(.*)$/, replacement: at("./plugins/mechanisms/$1.ts") },
  { find: /^bilevel\/presets\/(.*)$/, replacement: at("./presets/$1.ts") },
];

const shared = { resolve: { alias } };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: "quick",
          setupFiles: ["test/support/properties.ts"],
          include: ["test/**/*.test.ts"],
          exclude: ["test/full/**"],
          testTimeout: 60_000,
        },
      },
      { ...shared, test: { name: "full", include: ["test/full/**/*.test.ts"], testTimeout: 600_000 } },
    ],
  },
});
