import type { Candidate } from '../../optimize/advise.js';
import { schemes } from '../../optimize/quantize/index.js';

/** The command that makes a candidate of `advise`. */
export function quantizeCommand(
  { scheme, options }: Candidate,
  model: string,
  calibration: string | null,
  output: string,
): string {
  const words = ['atoll quantize', model];
  if (calibration !== null && schemes[scheme].activations !== null) words.push('--calibrate', calibration);
  if (scheme !== 'int8') words.push('--scheme', scheme);
  if (options.ranges !== undefined) words.push('--ranges', options.ranges);
  if (options.repairs !== undefined) words.push('--repair', 'all');
  return [...words, '-o', output].join(' ');
}
