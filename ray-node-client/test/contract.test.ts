import { contract } from "./support/contract.ts";
import { StandIn } from "./support/stand-in.ts";

contract("the contract, against the stand-in", () => StandIn.start({ gpus: 2, startTimeoutMs: 3000 }));
