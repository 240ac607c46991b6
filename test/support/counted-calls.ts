import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

export interface CountedCalls {
  /** Calls of openSync, lstatSync and statSync. */
  opens: number
  stats: number
  /** Bytes that readSync and read brought. */
  bytes: number
}

/** Counts what the program asks of the file system while `act` runs. */
export async function countCalls(act: () => Promise<void>): Promise<CountedCalls> {
  const counted = { opens: 0, stats: 0, bytes: 0 }
  const real = { ...fs }
  type Call = (...args: unknown[]) => unknown
  const replaced: Record<string, Call> = {
    openSync: (...args) => {
      counted.opens++
      return (real.openSync as Call)(...args)
    },
    lstatSync: (...args) => {
      counted.stats++
      return (real.lstatSync as Call)(...args)
    },
    statSync: (...args) => {
      counted.stats++
      return (real.statSync as Call)(...args)
    },
    readSync: (...args) => {
      const bytes = (real.readSync as Call)(...args) as number
      counted.bytes += bytes
      return bytes
    },
    read: (...args) => {
      const done = args.pop() as (error: Error | null, bytes: number) => void
      return (real.read as unknown as Call)(...args, (error: Error | null, bytes: number) => {
        counted.bytes += bytes ?? 0
        done(error, bytes)
      })
    },
  }
  Object.assign(fs, replaced)
  syncBuiltinESMExports()
  try {
    await act()
  } finally {
    for (const name of Object.keys(replaced)) Object.assign(fs, { [name]: real[name as keyof typeof real] })
    syncBuiltinESMExports()
  }
  return counted
}
