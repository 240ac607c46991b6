import { readdirSync, readFileSync } from 'node:fs'

/** What Linux says of a process, from /proc. */

/** Why it can't be asked here, or null. */
export async function missingProc() {
  return process.platform === 'linux' ? null : 'it reads /proc, which only Linux has'
}

/**
 * Its memory in RAM, now and at its most, in MiB.
 *
 * @param {number} pid
 * @returns {{ rss: number, peak: number }}
 */
export function memoryMib(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return { rss: kib(status, 'VmRSS') / 1024, peak: kib(status, 'VmHWM') / 1024 }
}

/**
 * The time that its threads have had on a core, in seconds.
 *
 * @param {number} pid
 */
export function cpuSeconds(pid) {
  // In nanoseconds, where /proc/<pid>/stat counts in hundredths of a second.
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, thread) => sum + thread, 0) / 1e9
}

/**
 * The time that a process, its children and those of them that have ended have had on a core, in seconds: hundredths
 * are all that the kernel keeps of the latter.
 *
 * @param {number} pid
 */
export function familyCpuSeconds(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const ticks = [[String(pid), 4], ...children.map((child) => [child, 2])].map(([child, fields]) => {
    try {
      // After the name, which may hold anything: utime, stime, and the same of children that were waited for.
      const [, text = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${child}/stat`, 'utf8')) ?? []
      const times = text.split(' ').slice(11, 11 + Number(fields))
      return times.reduce((sum, time) => sum + Number(time), 0)
    } catch {
      // It has just ended.
      return 0
    }
  })
  return ticks.reduce((sum, time) => sum + time, 0) / 100
}

/**
 * The bytes that it has caused to be written to a disk.
 *
 * @param {number} pid
 */
export function diskBytesWritten(pid) {
  const found = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))
  if (found === null) throw new Error(`/proc/${pid}/io has no write_bytes`)
  return Number(found[1])
}

/**
 * @param {string} status
 * @param {string} name
 */
function kib(status, name) {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)
  // A process that has ended but was not waited for has no memory left.
  if (found === null) throw new Error(`/proc/<pid>/status has no ${name}`)
  return Number(found[1])
}
