export interface System {
  readonly round: string;
  readonly submitter: string;
  readonly board: string;
  readonly core: string;
  readonly runtime: string;
  readonly clockMhz: number;
  readonly latencyMs: Readonly<Record<'kws' | 'vww' | 'ic' | 'ad', number>>;
}
export function mlperfTinySystems(file: string): System[];
export function skipsDeadChannels(system: Pick<System, 'runtime' | 'round'>): boolean;
