#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that an old one gets an answer instead of a syntax error.
import { existsSync } from "node:fs";
var needed = [22, 18];
var running = process.versions.node.split(".").map(Number);
if (running[0] < needed[0] || (running[0] === needed[0] && running[1] < needed[1])) {
  console.error(
    "bilevel needs Node " + needed.join(".") + " or newer; this is " + process.version +
      ". In a clone, npm start and npm test bring their own; elsewhere install a newer Node.",
  ); // prettier-ignore
  process.exit(3);
}
var isBuilt = !existsSync(new URL("./main.ts", import.meta.url));
import(isBuilt ? "./main.js" : "./main.ts").then(function (main) {
  return main.main(process.argv.slice(2));
});
