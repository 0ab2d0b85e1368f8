/** The broker of the soak, a process of its own: writes its log to stdout, and answers questions about its memory. */

import { setTimeout as wait } from 'node:timers/promises'
import { createBroker } from '@tidewire/broker'
import { limits } from './limits.js'

export interface Memory {
  /** Bytes. */
  readonly rss: number
  readonly heap: number
  readonly buffers: number
  readonly connections: number
  /** Milliseconds that the event loop is late. */
  readonly lag: number
  readonly dropped: Readonly<Record<string, number>>
}

const write = (line: string): void => console.log(line)
const broker = createBroker({ limits, sysInterval: 1, log: { info: write, warn: write, error: write } })
const { port } = await broker.listen('mqtt://127.0.0.1:0')
const { port: webSocketPort } = await broker.listen('ws://127.0.0.1:0')

function memory(): Memory {
  const { rss, heapUsed, external } = process.memoryUsage()
  const { connections, lag, dropped } = broker.metrics
  return { rss, heap: heapUsed, buffers: external, connections, lag, dropped }
}

process.on('message', async (question: 'memory' | 'memory without garbage') => {
  // More than once, for what finalizers let go of.
  for (let time = 0; time < 3 && question === 'memory without garbage'; time++) {
    globalThis.gc?.()
    await wait(20)
  }
  process.send?.(memory())
})
process.on('disconnect', () => process.exit())
process.send?.({ port, webSocketPort })
