import { speedOf } from "./search/speed.ts";
const t = process.cpuUsage();
console.log(await speedOf("search", 1000), (process.cpuUsage(t).user / 1000 / 1100).toFixed(2), "cpu ms per trial");
