// Reports are numbered by the device's clock. A device whose clock was set back, or that counts from its start and has
// restarted, continues with lower numbers, and its reports would be taken for old ones. What the broker retains cannot
// be older than what it sent before, so a lower number that is retained in two readings in a row is a new count.

export class SequenceResets {
  /** By device: the lower number that was retained in the last reading. */
  private readonly suspected = new Map<string, number>();

  /** @param seq of a retained report. @param latest number that was accepted before */
  isReset(id: string, seq: number, latest: number): boolean {
    const before = this.suspected.get(id);
    if (seq >= latest) {
      this.suspected.delete(id);
      return false;
    }
    this.suspected.set(id, seq);
    if (before === undefined || seq < before) return false;
    this.suspected.delete(id);
    return true;
  }
}
