/** Seeds of every run of the tests; the soak runs a thousand. */
export const SEEDS = 20;
