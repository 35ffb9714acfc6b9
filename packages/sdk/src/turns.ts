/** Counts turns of the event loop, for those that may act once per turn. Costs one immediate per turn in which it is used. */
export class Turns {
  #now = 0
  #isArmed = false

  /** The number of this turn. Larger after all microtasks of everything that happened in this one have run. */
  current(): number {
    if (!this.#isArmed) {
      this.#isArmed = true
      setImmediate(() => {
        this.#isArmed = false
        this.#now++
      })
    }
    return this.#now
  }
}
