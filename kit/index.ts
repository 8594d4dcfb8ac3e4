/** Pure functions for mechanisms and plugins (`bilevel/kit`). */
export * from "./json.ts";
export * from "./random.ts";
export * from "./space.ts";
export * from "./axes.ts";
export * from "./stats.ts";
export * from "./mechanism.ts";
export * from "./moves.ts";
export * from "./designs.ts";
export * from "./linear.ts";
export * from "./covariances.ts";
export * from "./gaussian-process.ts";
export * from "./truncated-normal.ts";
