import { bytesText } from './text.js';

/** Usage of a budget, as numbers and as a bar. */
export function budgetText(used: number, budget: number): string {
  return `${bytesText(used)} of ${bytesText(budget)} ${budgetBar(used, budget)}`;
}

/** A bar of the usage of a budget. */
export function budgetBar(used: number, budget: number, length = 24): string {
  const filled = Math.min(length, Math.ceil((used / budget) * length));
  return `[${'#'.repeat(filled)}${'.'.repeat(length - filled)}]`;
}
