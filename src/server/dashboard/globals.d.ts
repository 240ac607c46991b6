import type UPlot from 'uplot'

declare global {
  /**
   * Defined by the script `/assets/uplot/uPlot.iife.min.js`. It isn't a module, but it is the only
   * minified build of uPlot.
   */
  var uPlot: typeof UPlot

  // What many of the page's modules are about.
  type PageState = import('./page/page-state.js').PageState
  type PageStore = import('./page/page-state.js').PageStore
  type WindowState = import('./page/time-window.js').WindowState
  type Stats = import('../../queries/index.js').Stats
  type StatsSection = import('../../queries/index.js').StatsSection
  type Series = import('../../queries/index.js').Series
  type Currency = import('../../queries/index.js').Currency
  type RequestEntry = import('../../queries/index.js').RequestEntry
  type RequestDetail = import('../../queries/index.js').RequestDetail
  type RequestCursorPage = import('../../queries/index.js').RequestCursorPage
  type NameList = import('../../queries/index.js').NameList
}
