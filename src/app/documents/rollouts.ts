// The documents of `rollout`.

import type { RolloutForecast, RolloutRow, RolloutSummary } from '../../fleet/index.js';

export interface ListedRollout extends Pick<RolloutRow, 'uri' | 'target' | 'bundle' | 'createdAt' | 'changedAt'> {
  readonly rollout: string;
  readonly phase: RolloutRow['state']['phase'];
  readonly reason: string;
}

/** Of `plan`; of `list`; of `report`; of all other actions. */
export type RolloutDocument =
  | (RolloutForecast & { readonly uri: string })
  | { readonly store: string; readonly rollouts: readonly ListedRollout[] }
  | { readonly rollout: string; readonly files: readonly string[] }
  | (RolloutSummary & {
      /** The reports that were written. */
      readonly files?: readonly string[];
    });
