import { element } from '../page/dom.js'

/** The colours for a canvas: CSS variables, resolved for the current theme. */
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

  /** Must be called when the theme has changed. */
  forget() {
    this.#resolved.clear()
  }
}
