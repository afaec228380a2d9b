/**
 * Repetitions of tests over random input. A usual run takes few of them, so that it stays short;
 * the nightly workflow takes twenty-five times as many.
 */
export const REPEATS = Number(process.env.RANDOM_REPEATS ?? 1);

/** A seed to repeat a failed random test with, which its failure names. */
export const SEED =
  process.env.RANDOM_SEED === undefined ? {} : { seed: Number(process.env.RANDOM_SEED) };
