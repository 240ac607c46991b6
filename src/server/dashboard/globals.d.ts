import type UPlot from 'uplot'

declare global {
  /**
   * Made by `/assets/uplot/uPlot.iife.min.js`, a script beside the modules: of its builds the only
   * small one.
   */
  var uPlot: typeof UPlot
}
