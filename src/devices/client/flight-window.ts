// How many chunks are in flight at once. A device with fewer buffers than it reports loses what arrives while it works,
// so each loss halves the number, and it grows again after a while without losses, the longer the more losses there
// were (as TCP does: RFC 5681, 3.1).

/** Chunks without a loss after which one more is tried; doubled by each loss. */
const firstTrial = 16;

export class FlightWindow {
  size: number;
  private trial = firstTrial;
  private delivered = 0;

  constructor(private readonly most: number) {
    this.size = most;
  }

  /**
   * @param inFlight number of chunks in flight when one was lost
   * @returns whether that may be the cause: a loss with one chunk in flight has another
   */
  afterLoss(inFlight: number): boolean {
    this.delivered = 0;
    if (inFlight === 1) return false;
    this.size = Math.max(1, Math.min(this.size, Math.floor(inFlight / 2)));
    this.trial *= 2;
    return true;
  }

  onDelivered(): void {
    if (++this.delivered < this.trial || this.size === this.most) return;
    this.delivered = 0;
    this.size += 1;
  }
}
