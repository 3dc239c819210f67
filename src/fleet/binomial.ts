// Confidence bounds for a counted share: the exact one-sided bounds of Clopper and Pearson (Biometrika 26, 1934,
// 404-413).

/** Lower bound: the smallest share for which `count` or more of `of` have at least the probability 1 - confidence. */
export function lowerBound(count: number, of: number, confidence: number): number {
  if (count === 0) return 0;
  return whereItCrosses((share) => atLeast(count, of, share), 1 - confidence);
}

/** Upper bound: the largest share for which `count` or fewer of `of` have at least the probability 1 - confidence. */
export function upperBound(count: number, of: number, confidence: number): number {
  return 1 - lowerBound(of - count, of, confidence);
}

/** Bisects until no double lies in between. @param probability increases with the share */
function whereItCrosses(probability: (share: number) => number, wanted: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (probability(middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(X >= count) of a binomial distribution, summed from the side with fewer terms. */
function atLeast(count: number, of: number, share: number): number {
  if (share <= 0) return count === 0 ? 1 : 0;
  if (share >= 1) return 1;
  // Beyond the mean the terms decrease from `count` on; otherwise the complement is summed.
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
