export interface System {
  readonly round: string;
  readonly submitter: string;
  readonly board: string;
  readonly core: string;
  readonly runtime: string;
  readonly clockMhz: number;
  readonly latencyMs: Readonly<Record<'kws' | 'vww' | 'ic' | 'ad', number>>;
  /** Microjoules by milliseconds; null where the records have no energy. */
  readonly milliwatts: Readonly<Record<'kws' | 'vww' | 'ic' | 'ad', number>> | null;
}
export function median(values: readonly number[]): number;
export function mlperfTinySystems(file: string): System[];
export function skipsDeadChannels(system: Pick<System, 'runtime' | 'round'>): boolean;
