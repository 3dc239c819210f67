// How far a share that was counted may be off: the exact bounds of Clopper and Pearson (Biometrika 26, 1934, 404-413),
// one-sided.

/** The smallest share that does not make `count` or more of `of` less likely than 1 - confidence. */
export function lowerBound(count: number, of: number, confidence: number): number {
  if (count === 0) return 0;
  return whereItCrosses((share) => atLeast(count, of, share), 1 - confidence);
}

/** The largest share that does not make `count` or fewer of `of` less likely than 1 - confidence. */
export function upperBound(count: number, of: number, confidence: number): number {
  return 1 - lowerBound(of - count, of, confidence);
}

/** Halves the interval until doubles have nothing in between. @param probability grows with the share */
function whereItCrosses(probability: (share: number) => number, wanted: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (probability(middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(X >= count) of a binomial distribution, summed from its larger side, term after term. */
function atLeast(count: number, of: number, share: number): number {
  if (share <= 0) return count === 0 ? 1 : 0;
  if (share >= 1) return 1;
  // The terms fall from here on where `count` is beyond the mean; else the others are summed.
  if (count <= of * share) return 1 - sumOfTerms(of - count + 1, of, 1 - share);
  return sumOfTerms(count, of, share);
}

function sumOfTerms(count: number, of: number, share: number): number {
  if (count > of) return 0;
  const odds = share / (1 - share);
  let term = Math.exp(logOfTerm(count, of, share));
  let sum = term;
  for (let k = count; k < of && term > sum * Number.EPSILON; k++) {
    term *= ((of - k) / (k + 1)) * odds;
    sum += term;
  }
  return Math.min(1, sum);
}

function logOfTerm(count: number, of: number, share: number): number {
  const few = Math.min(count, of - count);
  let log = count * Math.log(share) + (of - count) * Math.log1p(-share);
  for (let i = 1; i <= few; i++) log += Math.log((of - few + i) / i);
  return log;
}
