/** Measures one client in one case, in this process: `run.mjs <port> <contestant> <version> <case> <seconds>`. */

import { argv, exit, memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { contestants } from './contestants.mjs'

const [, , port, name = '', versionText, what = '', secondsText] = argv
const url = `mqtt://127.0.0.1:${port}`
const version = versionText === '4' ? 4 : 5
const milliseconds = Number(secondsText) * 1000
const contestant = contestants[name]
if (contestant === undefined) throw new Error(`there is no ${name}`)

if (what === 'redelivery') console.log(await contestant.redelivery(url, version))
else if (what === 'heap') console.log(await heap(200))
else console.log(await cpu())
exit(0)

/** Nanoseconds of CPU for a message. */
async function cpu() {
  const client = await contestant?.open(url, version)
  let messages = 0
  let measured = 0
  let start = process.cpuUsage()
  let until = performance.now() + milliseconds / 3 // to get warm
  let isWarm = false
  let elapsed = 0
  await contestant?.cases[what]?.(client, (n) => {
    messages += n
    if ((messages & 63) !== 0 && n === 1) return true // the clock costs as much as a message
    if (performance.now() < until) return true
    if (isWarm) {
      const { user, system } = process.cpuUsage(start)
      elapsed = (user + system) * 1000
      measured = messages
      return false
    }
    isWarm = true
    messages = 0
    start = process.cpuUsage()
    until = performance.now() + milliseconds
    return true
  })
  return elapsed / measured
}

/** @param {number} count Bytes of the heap that an idle client takes. */
async function heap(count) {
  setFlagsFromString('--expose-gc')
  const collect = /** @type {() => void} */ (runInNewContext('gc'))
  /** @type {unknown[]} */
  const kept = [await contestant?.open(url, version)]
  const used = async () => {
    await new Promise((resolve) => setTimeout(resolve, 200))
    collect()
    const { heapUsed, external } = memoryUsage()
    return heapUsed + external
  }
  const before = await used()
  for (let i = 0; i < count; i++) kept.push(await contestant?.open(url, version))
  const bytes = ((await used()) - before) / count
  return kept.length > count ? bytes : 0
}
