import { normalShare } from "./gaussian-process.ts";
import { normalQuantile } from "./stats.ts";

/** A normal distribution cut off at both ends: what lies beyond them does not occur. */
export interface TruncatedNormal {
  mean: number;
  sd: number;
  low: number;
  high: number;
}

/** Shares of the whole normal below both ends; the tail that holds them is turned below zero, where they are precise. */
function ends({ mean, sd, low, high }: TruncatedNormal): { a: number; b: number; isTurned: boolean } {
  const isTurned = low > mean;
  const [from, to] = isTurned ? [mean - high, mean - low] : [low - mean, high - mean];
  return { a: normalShare(from / sd), b: normalShare(to / sd), isTurned };
}

/** The density at a place between the ends; 0 beyond them. */
export function truncatedDensity(normal: TruncatedNormal, at: number): number {
  const { mean, sd, low, high } = normal;
  if (at < low || at > high) return 0;
  const { a, b } = ends(normal);
  const z = (at - mean) / sd;
  return b > a ? (Math.exp(-0.5 * z * z) * 0.3989422804014327) / sd / (b - a) : 1 / (high - low);
}

/** The place below which that share of the distribution lies (by inversion: Robert 1995). */
export function truncatedQuantile(normal: TruncatedNormal, share: number): number {
  const { mean, sd, low, high } = normal;
  const { a, b, isTurned } = ends(normal);
  if (!(b > a)) return low + share * (high - low);
  const inside = a + (isTurned ? 1 - share : share) * (b - a);
  const z = normalQuantile(Math.min(1 - 1e-16, Math.max(1e-300, inside)));
  return Math.min(high, Math.max(low, mean + sd * (isTurned ? -z : z)));
}
