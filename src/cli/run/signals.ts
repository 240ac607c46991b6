/** Aborted by the first signal, which also says what the process ends with; the second one ends it at once. */
export function stopOnSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = (exitCode: number) => {
    process.exitCode = exitCode
    controller.abort()
  }
  process.once('SIGINT', () => stop(130))
  process.once('SIGTERM', () => stop(143))
  process.once('SIGHUP', () => stop(129))
  return controller.signal
}
