import { contract } from "../support/contract.ts";
import { RayHead } from "./head.ts";

contract("the contract, against a real head", () =>
  RayHead.start({ cpus: 4, gpus: 2, env: { RAY_JOB_START_TIMEOUT_SECONDS: "15" } }),
);
