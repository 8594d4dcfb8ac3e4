/** The directions of imports; the house in ARCHITECTURE.md. Imports of types alone do not count. */
const rule = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });

module.exports = {
  forbidden: [
    rule("no-cycle", "nothing imports itself through others", {}, { circular: true }),
    rule("kit-imports-nothing", "kit runs inside a sandbox too", { path: "^kit/" }, { pathNot: "^kit/" }),
    rule(
      "core-imports-little",
      "core stands on tapable, ajv, Node and pure files of kit",
      { path: "^core/" },
      {
        pathNot: [
          "^core/",
          "^schema\\.json$",
          "^kit/(comparable|random|space|space-check|answer-check|plugin-check|json|explain|text)\\.ts$",
          "node_modules/(tapable|ajv)/",
        ],
        dependencyTypesNot: ["core"],
      },
    ),
    rule(
      "plugins-meet-by-their-index",
      "a plugin sees core, kit and the index of another plugin; a mechanism sees kit alone",
      { path: "^plugins/([^/]+)/", pathNot: "^plugins/evaluate-process/supervisor\\.ts$" },
      {
        path: "^(core|kit|plugins|presets|cli|examples|test)/",
        pathNot: ["^core/index\\.ts$", "^kit/", "^plugins/$1/", "^plugins/[^/]+/index\\.ts$"],
      },
    ),
    rule(
      "supervisor-is-light",
      "the supervisor is a process per trial: of the task plugin it loads the metric reader and not its parsers",
      { path: "^plugins/evaluate-process/supervisor\\.ts$" },
      {
        pathNot: [
          "^plugins/evaluate-process/",
          "^plugins/task/metrics\\.ts$",
          "^core/contract\\.ts$",
          "^kit/time\\.ts$",
        ],
        dependencyTypesNot: ["core"],
      },
    ),
    rule(
      "mechanisms-see-kit",
      "the very form a generated one has",
      { path: "^plugins/mechanisms/" },
      { pathNot: "^kit/index\\.ts$" },
    ),
    rule(
      "presets-see-plugins",
      "",
      { path: "^presets/" },
      { pathNot: ["^presets/", "^plugins/mechanisms/", "^plugins/[^/]+/index\\.ts$", "^core/index\\.ts$"] },
    ),
    rule(
      "ray-node-client-stands-alone",
      "a package for its own sake: it knows nothing of bilevel",
      { path: "^ray-node-client/" },
      {
        pathNot: ["^ray-node-client/", "node_modules/(fflate|undici|vitest|fast-check)/"],
        dependencyTypesNot: ["core"],
      },
    ),
    rule(
      "one-user-of-ray-node-client",
      "everything about Ray lies in one plugin",
      { path: "^(core|kit|plugins|presets|cli)/", pathNot: "^plugins/evaluate-ray/" },
      { path: "^(ray-node-client|node_modules/ray-node-client)/" },
    ),
    rule(
      "cli-sees-no-insides",
      "",
      { path: "^cli/" },
      { path: "^(core|plugins)/", pathNot: "^(core|plugins/[^/]+)/index\\.ts$" },
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: false,
    exclude: { path: "^((ray-node-client/)?dist|\\.bilevel)/" },
  },
};
