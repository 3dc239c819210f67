// Named faults of fleet devices.

import { fail } from '../../../base/errors.js';

/**
 * - dies-notified, dies-downloading, dies-verified, dies-pending: it falls silent in that state
 * - reboots-downloading, reboots-pending: it loses power there once, and restarts
 * - stuck-download: the download never gets beyond the first half
 * - bad-signature: it rejects every signature
 * - wrong-result: its self-test fails
 * - still-old: it reports success but runs the previous model
 * - falls-back: the new model does not survive a boot, and the previous one comes back
 * - slow: its inferences take three times as long
 * - inaccurate: it gets a quarter fewer of its labelled samples right
 */
export const fleetFaultNames = [
  'dies-notified',
  'dies-downloading',
  'dies-verified',
  'dies-pending',
  'reboots-downloading',
  'reboots-pending',
  'stuck-download',
  'bad-signature',
  'wrong-result',
  'still-old',
  'falls-back',
  'slow',
  'inaccurate',
] as const;
export type FleetFault = (typeof fleetFaultNames)[number];

/** `NAME` for all devices, `NAME=SHARE` for some, for example slow=10%. @throws USAGE */
export function fleetFaultsNamed(texts: readonly string[]): { readonly name: FleetFault; readonly share: number }[] {
  return texts.map((text) => {
    const [wanted, shareText = '100%'] = text.split('=');
    const name = fleetFaultNames.find((known) => known === wanted);
    if (name === undefined)
      throw fail('USAGE', {
        reason: `there is no fleet fault ${wanted}; the faults are ${fleetFaultNames.join(', ')}`,
      });
    const share = shareText.endsWith('%') ? Number(shareText.slice(0, -1)) / 100 : Number(shareText);
    if (shareText.trim() === '' || !(share >= 0 && share <= 1))
      throw fail('USAGE', { reason: `fault ${text}: the share must be between 0 and 1, or 0% and 100%` });
    return { name, share };
  });
}
