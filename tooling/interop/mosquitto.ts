/** mosquitto's programs as a peer. */

import type { ProtocolVersion } from '@tidewire/codec'
import {
  digest,
  Inbox,
  type OnEnd,
  type Peer,
  type Ports,
  type Properties,
  type Publication,
  type PublisherOptions,
  type Received,
  type Subscriber,
  type SubscriberOptions,
} from './peer.js'
import { Program } from './program.js'

const versionNames: Readonly<Record<ProtocolVersion, string>> = { 3: 'mqttv31', 4: 'mqttv311', 5: 'mqttv5' }

let ids = 0

export class Mosquitto implements Peer {
  readonly name: string = 'mosquitto_pub, mosquitto_sub and mosquitto_rr'
  readonly transport: 'tcp' = 'tcp' as const
  readonly version: ProtocolVersion
  readonly cannot: Peer['cannot']

  constructor(version: ProtocolVersion) {
    this.version = version
    this.cannot = {
      'sessions across connections of a publisher': 'mosquitto_pub publishes anew when it connects again',
      'incoming Topic Aliases': 'mosquitto_sub does not resolve them',
      'Retain Handling': 'mosquitto_sub 2.0 has no option for it',
      'several topics in one connection': 'mosquitto_pub knows one topic',
      ...(version === 5 && {
        'leaving without Will': 'mosquitto_sub leaves with 0x04, which asks for the Will',
        'telling that a message is too large': 'mosquitto_pub keeps it back, and ends as if it were sent',
      }),
    }
  }

  #common({ port }: Ports, clientId = `mosquitto${++ids}`): string[] {
    return ['-p', `${port}`, '-V', versionNames[this.version], '-i', clientId]
  }

  async subscribe(
    at: Ports,
    filters: readonly string[],
    options: SubscriberOptions,
    onEnd: OnEnd,
  ): Promise<Subscriber> {
    const { clientId, sessionExpiry, qos = 2, will, retainAsPublished, subscriptionIdentifier } = options
    const args = [...this.#common(at, clientId), '-q', `${qos}`, '-d', '-F', '%j\t%P']
    args.push(...filters.flatMap((filter) => ['-t', filter]))
    if (sessionExpiry !== undefined) args.push('-c', ...(this.version === 5 ? ['-x', `${sessionExpiry}`] : []))
    if (will !== undefined) args.push(...this.#willOf(will))
    if (retainAsPublished === true) args.push('--retain-as-published')
    if (subscriptionIdentifier !== undefined)
      args.push('-D', 'subscribe', 'subscription-identifier', `${subscriptionIdentifier}`)
    const program = new Program('stdbuf', ['-oL', 'mosquitto_sub', ...args], { onEnd })
    const inbox = new Inbox<Received>()
    const granted = await this.#begin(program, inbox)
    return {
      sessionPresent: undefined,
      granted,
      next: () => inbox.next(),
      close: () => program.stop(),
      freeze: () => program.freeze(),
      thaw: () => program.thaw(),
      kill: () => program.kill(),
    }
  }

  #willOf({ topic, payload, qos = 0, retain = false, properties = {}, delay }: NonNullable<SubscriberOptions['will']>) {
    const args = ['--will-topic', topic, '--will-payload', payload, '--will-qos', `${qos}`]
    if (retain) args.push('--will-retain')
    if (delay !== undefined) args.push('-D', 'will', 'will-delay-interval', `${delay}`)
    return [...args, ...propertiesOf('will', properties)]
  }

  /** Reads what it writes from now on; settles with what was granted. */
  #begin(program: Program, inbox: Inbox<Received>): Promise<number[]> {
    return new Promise((resolve, reject) => {
      const sentAgain = new Map<number, boolean>()
      const read = async (): Promise<never> => {
        for (;;) {
          const line = await program.line(/^(Subscribed|\{|.* received PUBLISH)/)
          const published = /received PUBLISH \(d(\d), q\d, r\d, m(\d+)/.exec(line)
          if (published !== null) sentAgain.set(Number(published[2]), published[1] === '1')
          else if (line.startsWith('{')) inbox.push(received(line, sentAgain))
          else resolve(line.replace(/^.*: /, '').split(', ').map(Number))
        }
      }
      read().catch((error: Error) => {
        reject(error)
        inbox.fail(error)
      })
    })
  }

  async publish(
    at: Ports,
    messages: readonly Publication[],
    { aliases = false }: PublisherOptions,
    onEnd: OnEnd,
  ): Promise<void> {
    for (const run of runs(messages)) {
      const { topic, qos = 0, retain = false, properties = {}, payload } = run[0]!
      const args = [...this.#common(at), '-t', topic, '-q', `${qos}`, ...(retain ? ['-r'] : [])]
      args.push(...propertiesOf('publish', aliases ? { ...properties, topicAlias: 1 } : properties))
      // Lines for several; all of its input for one, which may be anything but empty.
      const how = run.length > 1 ? '-l' : payload === '' ? '-n' : '-s'
      const input = Buffer.from(run.map((each) => each.payload).join('\n'))
      await new Program('mosquitto_pub', [...args, how], { onEnd, input }).done()
    }
  }

  async request(at: Ports, question: Publication, responseTopic: string, onEnd: OnEnd): Promise<string> {
    const { topic, payload, qos = 0, properties = {} } = question
    const args = [...this.#common(at), '-t', topic, '-e', responseTopic, '-m', payload, '-q', `${qos}`, '-F', 'got %p']
    if (this.version === 5) args.push(...propertiesOf('publish', properties))
    const program = new Program('mosquitto_rr', args, { onEnd })
    const line = await program.line(/^got /)
    await program.done()
    return line.slice(4)
  }
}

/** Messages that one run can publish: those of the same topic, QoS, Retain and properties. */
function runs(messages: readonly Publication[]): Publication[][] {
  const groups: Publication[][] = []
  let before = ''
  for (const message of messages) {
    const { topic, qos, retain, properties } = message
    const kind = JSON.stringify([topic, qos, retain, properties])
    if (kind === before) groups.at(-1)!.push(message)
    else groups.push([message])
    before = kind
  }
  return groups
}

function propertiesOf(packet: 'publish' | 'will', properties: Properties): string[] {
  return Object.entries(properties).flatMap(([name, value]) => {
    const theirs = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    if (name !== 'userProperties') return ['-D', packet, theirs, `${value}`]
    return (value as NonNullable<Properties['userProperties']>).flatMap((pair) => [
      '-D',
      packet,
      'user-property',
      ...pair,
    ])
  })
}

function received(line: string, sentAgain: ReadonlyMap<number, boolean>): Received {
  // The JSON has the User Properties as an object with the same key more than once: they are behind it once more.
  const [json = '', pairs = ''] = line.split('\t')
  const { topic, payload, qos, retain, mid, properties = {} } = JSON.parse(json)
  const named = Object.entries(properties).map(([name, value]) => [
    name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ])
  const userProperties = pairs === '' ? undefined : pairs.split(' ').map((pair) => pair.split(':'))
  return {
    topic,
    payload: digest(payload ?? ''),
    qos,
    retain: retain === 1,
    dup: sentAgain.get(mid) ?? false,
    properties: { ...Object.fromEntries(named), ...(userProperties && { userProperties }) },
  }
}
