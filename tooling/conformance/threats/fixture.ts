/** A broker of its own for each test, with the options that the threat is about. */

import { type Broker, type BrokerOptions, createBroker } from '@tidewire/broker'
import type { ProtocolVersion } from '@tidewire/codec'
import { expect, it } from 'vitest'
import { knownFailures } from '../known-failures.js'
import { Trial } from '../suite.js'

export interface Attack {
  readonly t: Trial
  readonly broker: Broker
  /** What was logged, line by line. */
  readonly log: readonly string[]
}

/** Starts a broker, and a trial with it as MQTT 5.0; both end with the test. */
export type Start = (options?: BrokerOptions, version?: ProtocolVersion) => Promise<Attack>

async function start(options: BrokerOptions = {}, version: ProtocolVersion = 5): Promise<Attack> {
  const log: string[] = []
  const write = (line: string): void => void log.push(line)
  const broker = createBroker({ log: { info: write, warn: write, error: write }, ...options })
  const host = '127.0.0.1'
  const { port } = await broker.listen(`mqtt://${host}:0`)
  const { port: webSocketPort } = await broker.listen(`ws://${host}:0`)
  return { t: new Trial({ host, port, webSocketPort, versions: [3, 4, 5] }, version), broker, log }
}

/** A test of a row of the threats; its name begins with the row. */
export function threat(name: string, run: (start: Start) => Promise<void>): void {
  const test = name in knownFailures ? it.concurrent.fails : it.concurrent
  test(name, async ({ onTestFinished }) => {
    await run(async (...options) => {
      const its = await start(...options)
      onTestFinished(async () => {
        await its.t.end()
        await its.broker.close()
      })
      return its
    })
  })
}

/** The broker is there, for old clients and new ones. */
export async function stillThere({ t }: Attack): Promise<void> {
  const client = await t.connect()
  await t.subscribed(client, t.topic('still there'))
  await t.publish(client, t.topic('still there'), 'x', { qos: 1 })
  await t.receive(client)
  expect(t.broken).toEqual([])
}
