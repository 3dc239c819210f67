// Limits on what a compiled model may make this process allocate and send: flatbuffers may share objects, so a small
// file can refer to a lot.

export class Limits {
  private readonly left = { parts: 64, executables: 256, pieces: 2 ** 20, bytes: 2 ** 27, transferred: 2 ** 30 };

  /** @param invalid creates the error to throw if a limit is exceeded */
  spend(what: keyof Limits['left'], amount: number, invalid: (reason: string) => Error): void {
    this.left[what] -= amount;
    if (!(this.left[what] >= 0)) throw invalid(`far more ${names[what]} than the chip could use`);
  }
}

const names = {
  parts: 'compiled operators',
  executables: 'executables',
  pieces: 'pieces of layouts',
  bytes: 'bytes of instructions, inputs and outputs',
  transferred: 'bytes of transfers',
} as const;
