import type UPlot from 'uplot'

declare global {
  /**
   * Defined by the script `/assets/uplot/uPlot.iife.min.js`. It isn't a module, but it is the only
   * minified build of uPlot.
   */
  var uPlot: typeof UPlot
}
