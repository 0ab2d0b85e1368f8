/** What the operating system says of a process: CPU and memory. */

import { readdirSync, readFileSync } from 'node:fs'

/** Whether the system tells it in the way that is read here. */
export const canMeter = process.platform === 'linux'

/**
 * Seconds of CPU, in user mode and in the kernel, all threads. Where the system counts nanoseconds, these; else ticks,
 * which are of 10 ms on nearly every machine.
 * @param {number} pid
 */
export function cpuSeconds(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const times = threads.map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return times.reduce((sum, time) => sum + time, 0) / 1e9
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error
    return ticks(pid) / 100
  }
}

/** utime and stime. @param {number} pid */
function ticks(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Resident memory in KiB. @param {number} pid @param {'VmRSS' | 'VmHWM'} key Now, or at most until now. */
export function memory(pid, key = 'VmRSS') {
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
