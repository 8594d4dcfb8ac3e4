/** Milliseconds that a timer can wait, 24 days; one that is told to wait longer goes off at once. */
export const longestTimer = 2 ** 31 - 1;
