import { setFlagsFromString } from 'node:v8'

/**
 * Aborts at the first signal, which also sets the exit code; a second signal ends the process at
 * once.
 */
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

/**
 * Keeps V8 from letting the space for new objects grow from 1 MiB to 32 MiB, which it does when
 * there is much garbage: a projector makes nothing else. Measured: the same CPU time, and 15 to 30
 * MiB less.
 */
export function keepNewSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
