/** Covariances of two points, as a share of the variance, by how far they lie from each other in units of their length. */

/** Matérn's with smoothness 5/2, of a distance: twice differentiable (Rasmussen and Williams 2006, equation 4.17). */
export const matern = (r: number): number => {
  const s = Math.sqrt(5) * r;
  return (1 + s + (s * s) / 3) * Math.exp(-s);
};

/** Cauchy's, of a squared distance: falls slowly, so that a far point still tells something (generalised: Gneiting and Schlather 2004). */
export const cauchy = (squared: number): number => 1 / (1 + squared);

/** The rational quadratic with α = 2, of a squared distance: squared exponentials of many lengths together (Rasmussen and Williams 2006, equation 4.19). */
export const rationalQuadratic = (squared: number): number => {
  const r = 1 / (1 + squared / 4);
  return r * r;
};

/** Its derivative by the squared distance. */
export const rationalQuadraticSlope = (squared: number): number => {
  const r = 1 / (1 + squared / 4);
  return -0.5 * r * r * r;
};
