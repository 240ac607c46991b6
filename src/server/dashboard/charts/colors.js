import { element } from '../page/dom.js'

/** What a canvas paints with: CSS's variables, resolved for the theme of the moment. */
export class Colors {
  #probe = element('span', 'unseen')
  /** @type {Map<string, string>} */
  #resolved = new Map()

  constructor() {
    this.#probe.setAttribute('aria-hidden', 'true')
    document.body.append(this.#probe)
  }

  /**
   * @param {string} variable `--accent`
   * @returns {string} as `rgb(…)`
   */
  get(variable) {
    let color = this.#resolved.get(variable)
    if (color === undefined) {
      this.#probe.style.color = `var(${variable})`
      color = getComputedStyle(this.#probe).color
      this.#resolved.set(variable, color)
    }
    return color
  }

  /** The theme has changed. */
  forget() {
    this.#resolved.clear()
  }
}
