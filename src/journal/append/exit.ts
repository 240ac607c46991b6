/** What waits for the end of the process, held here so that it isn't forgotten before. */
const waiting = new Set<() => void>()

/** Calls back when the process ends. Any number of journals share one listener: Node warns of an eleventh. */
export function onExit(callback: () => void): void {
  if (waiting.size === 0) process.on('exit', callAll)
  waiting.add(callback)
}

export function offExit(callback: () => void): void {
  if (waiting.delete(callback) && waiting.size === 0) process.off('exit', callAll)
}

function callAll(): void {
  for (const callback of waiting) callback()
}
