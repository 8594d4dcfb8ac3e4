type Amounts = Record<string, number>;

/** A node of the cluster. */
export interface ClusterNode {
  nodeId: string;
  ip: string;
  isHead: boolean;
  isAlive: boolean;
  total: Amounts;
  /** Undefined where the dashboard does not tell it, or tells it only of several nodes at one address. */
  available: Amounts | undefined;
  labels: Record<string, string>;
}

/** What the cluster has, by resource: CPU and GPU in pieces, memory in bytes, others as their owners count them. */
export interface ClusterResources {
  /** Of the nodes that are alive. */
  total: Amounts;
  /** What is free, as of some seconds ago. Undefined where the dashboard does not tell it. */
  available: Amounts | undefined;
  /**
   * What waits for resources, as of some seconds ago: each shape, and how many of it. Undefined where it is not told.
   */
  waiting: { resources: Amounts; count: number }[] | undefined;
  /** Those that are alive. */
  nodes: ClusterNode[];
}

/** Whatever came; every level of it may be missing, since none of it has a documented form. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const at = (json: Json | undefined, ...path: readonly string[]): Json | undefined =>
  path.reduce<Json | undefined>(
    (inner, key) => (typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner[key] : undefined),
    json,
  );
const list = (json: Json | undefined): Json[] => (Array.isArray(json) ? json : []);
const entries = (json: Json | undefined): [string, Json][] =>
  typeof json === "object" && json !== null && !Array.isArray(json) ? Object.entries(json) : [];
const numbers = (json: Json | undefined): Amounts =>
  Object.fromEntries(entries(json).filter((entry): entry is [string, number] => typeof entry[1] === "number"));

/**
 * Puts together the answers of `/api/v0/nodes` and `/api/cluster_status`, the latter undefined where it failed. That
 * names nodes by their ids where Ray was started by hand, and by their addresses under its autoscaler (v1; v2 tells
 * nothing).
 */
export function clusterFromWire(nodesAnswer: unknown, statusAnswer: unknown): ClusterResources {
  const report = at(statusAnswer as Json | undefined, "data", "clusterStatus", "loadMetricsReport");
  const listed = list(at(nodesAnswer as Json, "data", "result", "result"));
  const names = [...new Set(listed.flatMap((node) => Object.keys(numbers(at(node, "resources_total")))))];
  const ips = listed.map((node) => String(at(node, "node_ip")));
  const nodes = listed.map((node): ClusterNode => {
    const nodeId = String(at(node, "node_id"));
    const ip = String(at(node, "node_ip"));
    const isAlone = ips.indexOf(ip) === ips.lastIndexOf(ip);
    const use = at(report, "usageByNode", nodeId) ?? (isAlone ? at(report, "usageByNode", ip) : undefined);
    return {
      nodeId,
      ip,
      isHead: at(node, "is_head_node") === true,
      isAlive: at(node, "state") === "ALIVE",
      total: numbers(at(node, "resources_total")),
      available: use === undefined ? undefined : free(use, names),
      labels: Object.fromEntries(entries(at(node, "labels")).map(([key, value]) => [key, String(value)])),
    };
  });
  const usage = at(report, "usage");
  const demand = at(report, "resourceDemand");
  return {
    total: sum(nodes.filter((node) => node.isAlive).map((node) => node.total)),
    available: usage === undefined ? undefined : free(usage, names),
    waiting: Array.isArray(demand) ? demand.map((shape) => waitingOf(shape, names)) : undefined,
    nodes,
  };
}

/** What is left of `{ CPU: [used, total], … }`. */
function free(usage: Json, names: readonly string[]): Amounts {
  const amounts = entries(usage).flatMap(([key, pair]) => {
    const [used, total] = list(pair);
    return typeof used === "number" && typeof total === "number" ? [[original(key, names), total - used] as const] : [];
  });
  return Object.fromEntries(amounts);
}

function waitingOf(shape: Json, names: readonly string[]): { resources: Amounts; count: number } {
  const [resources, count] = list(shape);
  const amounts = Object.entries(numbers(resources)).map(([key, amount]) => [original(key, names), amount] as const);
  return { resources: Object.fromEntries(amounts), count: typeof count === "number" ? count : 1 };
}

/** The dashboard writes `object_store_memory` as `objectStoreMemory`, names of users' own resources included. */
function original(key: string, names: readonly string[]): string {
  const plain = (name: string): string => name.replaceAll("_", "").toLowerCase();
  return names.includes(key) ? key : (names.find((name) => plain(name) === plain(key)) ?? key);
}

function sum(parts: readonly Amounts[]): Amounts {
  const total: Amounts = {};
  for (const [name, amount] of parts.flatMap((part) => Object.entries(part))) total[name] = (total[name] ?? 0) + amount;
  return total;
}
