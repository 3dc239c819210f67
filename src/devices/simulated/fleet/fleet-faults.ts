// What may be wrong with a device of a fleet, by name.

import { fail } from '../../../base/errors.js';

/**
 * - dies-notified, dies-downloading, dies-verified, dies-pending: it falls silent there, and does not come back
 * - reboots-downloading, reboots-pending: it loses its power there once, and starts again
 * - stuck-download: it never gets beyond the first half
 * - bad-signature: it finds fault with every signature
 * - wrong-result: its self-test fails
 * - still-old: it reports success, and runs the model that it had
 * - falls-back: the new model does not survive a boot, and the one before comes back
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

/** `NAME` for all devices, `NAME=SHARE` for some, such as slow=10%. @throws USAGE */
export function fleetFaultsNamed(texts: readonly string[]): { readonly name: FleetFault; readonly share: number }[] {
  return texts.map((text) => {
    const [wanted, shareText = '100%'] = text.split('=');
    const name = fleetFaultNames.find((known) => known === wanted);
    if (name === undefined)
      throw fail('USAGE', { reason: `no fault of fleets is named ${wanted}; there are ${fleetFaultNames.join(', ')}` });
    const share = shareText.endsWith('%') ? Number(shareText.slice(0, -1)) / 100 : Number(shareText);
    if (shareText.trim() === '' || !(share >= 0 && share <= 1))
      throw fail('USAGE', { reason: `--fault ${text}: the share is one between 0 and 1, or 0% and 100%` });
    return { name, share };
  });
}
