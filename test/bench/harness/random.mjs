/** Numbers that a seed gives again (mulberry32). */
export class Random {
  #state

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** A whole number of 32 bits. */
  word() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** From 0 to below 1. */
  fraction() {
    return this.word() / 2 ** 32
  }

  /**
   * A whole number, both ends included.
   *
   * @param {number} least
   * @param {number} most
   */
  between(least, most) {
    return least + Math.floor(this.fraction() * (most - least + 1))
  }

  /**
   * @template T
   * @param {readonly T[]} items
   * @returns {T}
   */
  pick(items) {
    const item = items[this.between(0, items.length - 1)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  /** A random UUID of version 4. */
  uuid() {
    const [a, b, c, d] = [this.#hex(), this.#hex(), this.#hex(), this.#hex()]
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${'89ab'[this.word() & 3]}${c.slice(1, 4)}-${c.slice(4)}${d}`
  }

  #hex() {
    return this.word().toString(16).padStart(8, '0')
  }
}
