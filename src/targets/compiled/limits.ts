// What a compiled model may make this process allocate and send, over all of it: flatbuffers may share what they hold,
// so that a small file can name much.

export class Limits {
  private readonly left = { parts: 64, executables: 256, pieces: 2 ** 20, bytes: 2 ** 27, transferred: 2 ** 30 };

  /** @param invalid makes the error of what is being read. @throws that, where it is too much */
  spend(what: keyof Limits['left'], amount: number, invalid: (reason: string) => Error): void {
    this.left[what] -= amount;
    if (!(this.left[what] >= 0)) throw invalid(`far more ${names[what]} than the chip could make use of`);
  }
}

const names = {
  parts: 'compiled operators',
  executables: 'executables',
  pieces: 'pieces of layouts',
  bytes: 'bytes of instructions, inputs and outputs',
  transferred: 'bytes of transfers',
} as const;
