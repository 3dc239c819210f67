// Seeded random numbers for the sweep.

/** @param {number} seed a whole number; the same seed gives the same sequence on every machine (mulberry32) */
export function randomFrom(seed) {
  let state = seed >>> 0;
  const unit = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (low, high) => low + Math.floor(unit() * (high - low + 1));
  return {
    unit,
    /** A whole number in [low, high]. */
    whole,
    /** A real number in [low, high). */
    real: (low, high) => low + unit() * (high - low),
    /** A real number whose logarithm is uniform in [low, high). */
    logarithmic: (low, high) => Math.exp(Math.log(low) + unit() * (Math.log(high) - Math.log(low))),
    /** A real number in (-1.5, 1.5) from a distribution like a bell. */
    bell: () => unit() + unit() + unit() - 1.5,
    chance: (probability) => unit() < probability,
    pick: (list) => list[whole(0, list.length - 1)],
    shuffled: (list) => {
      const left = [...list];
      return Array.from(list, () => left.splice(whole(0, left.length - 1), 1)[0]);
    },
  };
}
