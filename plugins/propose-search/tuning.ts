export const tuning = {
  region: { start: 0.15, grow: 1.3, shrink: 0.95, least: 0.02, most: 0.4 },
  window: 64,
  rounds: 2,
  first: 4,
  plain: 0.0,
  plugin: true,
  moves: 100,
  crossings: 30,
  climbs: 2,
  steps: 30,
};
