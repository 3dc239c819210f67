/** A bar of how much of a budget is used. */
export function budgetBar(used: number, budget: number, length = 24): string {
  const filled = Math.min(length, Math.ceil((used / budget) * length));
  return `[${'#'.repeat(filled)}${'.'.repeat(length - filled)}]`;
}
