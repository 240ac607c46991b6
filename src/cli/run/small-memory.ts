import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8 from letting the space for new objects grow from 1 MiB to 32, which it does where much garbage is made: a
 * projector makes nothing else. Measured: the same CPU time, and 15 to 30 MiB less.
 */
export function keepNewSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
