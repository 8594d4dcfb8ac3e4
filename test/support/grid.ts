import type { Level, Plugin, Trial, TaskChange, Turn } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";

/** A quadratic bowl over three whole numbers; the least is 0 at (7, 7, 7). */
export const bowl = ({ candidate }: Trial<TaskChange>): number =>
  Object.values(candidate.values ?? {}).reduce<number>((sum, value) => sum + ((value as number) - 7) ** 2, 0);
