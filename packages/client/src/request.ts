/** Request and response over Response Topic and Correlation Data (section 4.10). */

import { MqttError, type UserProperty } from '@tidewire/codec'
import { abortable } from './abortable.js'
import type { Address, Client, Source } from './client.js'
import type { Message } from './message.js'
import type { PayloadCodec } from './payload.js'
import type { PublishOptions } from './publisher.js'
import type { SubscribeOptions } from './subscriber.js'
import type { Subscription } from './subscription.js'
import type { TypedMessage } from './topic.js'

export interface RequestOptions extends Omit<PublishOptions, 'retain'> {
  /** Milliseconds to wait for the answer. Default 10,000. */
  readonly timeout?: number
}

export interface ServeOptions<T> extends SubscribeOptions {
  /** What the answers are made with. Default: they are strings or bytes. */
  readonly reply?: PayloadCodec<T>
  /** Is told what a handler throws. Who asked is told of a failure, and only of an MqttError what it says. */
  readonly onError?: (error: Error) => void
}

/** A user property by which an answer tells that it is none: the Reason Code and the message. */
const failed = 'tidewire-error'
const failure = 'the other side failed'

/** The topic of a client's answers, and who waits for them. */
interface Replies {
  readonly topic: string
  readonly waiting: Map<string, { resolve(message: Message): void; reject(error: Error): void }>
}

const replies: WeakMap<Client, Promise<Replies>> = new WeakMap()

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function listen(client: Client): Promise<Replies> {
  const { responseInformation = 'tidewire/reply' } = client.serverProperties
  const topic = `${responseInformation.replace(/\/$/, '')}/${hex(crypto.getRandomValues(new Uint8Array(12)))}`
  const waiting: Replies['waiting'] = new Map()
  const subscription = await client.subscribe(topic, { qos: 1 }, (message) => {
    const id = hex(message.properties.correlationData ?? new Uint8Array())
    waiting.get(id)?.resolve(message) // nobody waits for one that comes late
  })
  void subscription.ended.then((reason) => {
    replies.delete(client)
    for (const { reject } of waiting.values()) reject(reason ?? new Error('the client is closed'))
  })
  return { topic, waiting }
}

/**
 * Asks, and settles with the answer. Rejects with MqttError when the other side says so or nobody is there to ask, with
 * an Error when no answer comes in time, and as `publish` does. Needs MQTT 5.0.
 */
export function request(
  client: Client,
  topic: string,
  payload: string | Uint8Array,
  options?: RequestOptions,
): Promise<Message>
export function request<Q>(client: Client, address: Address<Q>, data: Q, options?: RequestOptions): Promise<Message>
export function request<Q, T>(
  client: Client,
  to: string | Address<Q>,
  data: Q,
  options: RequestOptions & { readonly reply: PayloadCodec<T> },
): Promise<T>
export async function request<Q, T>(
  client: Client,
  to: string | Address<Q>,
  data: Q,
  options: RequestOptions & { readonly reply?: PayloadCodec<T> } = {},
): Promise<Message | T> {
  if (client.protocolVersion < 5) throw new TypeError('there are no Response Topics before MQTT 5.0')
  const { timeout = 10_000, reply, signal, qos = 1, properties } = options
  const limit = new AbortController()
  const abort = (): void => limit.abort(signal?.reason)
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort)
  const timer = setTimeout(() => limit.abort(new Error(`no answer came in ${timeout} ms`)), timeout)
  const correlationData = crypto.getRandomValues(new Uint8Array(8))
  const id = hex(correlationData)
  let listening = replies.get(client)
  if (listening === undefined) {
    listening = listen(client)
    replies.set(client, listening)
    listening.catch(() => replies.delete(client))
  }
  try {
    const { topic, waiting } = await abortable(listening, limit.signal)
    const answer = new Promise<Message>((resolve, reject) => waiting.set(id, { resolve, reject }))
    try {
      const question = {
        qos,
        properties: { ...properties, responseTopic: topic, correlationData },
        signal: limit.signal,
      }
      const sent = client.publish(to as Address<Q>, data, question)
      const { reasonCode } = await Promise.race([sent, answer.then(() => ({ reasonCode: 0 }))])
      if (reasonCode === 0x10) throw new MqttError(reasonCode, 'nobody is there to answer')
      const message = await abortable(answer, limit.signal)
      const fault = message.properties.userProperty?.find(([name]) => name === failed)
      if (fault !== undefined) throw faultOf(fault)
      return reply === undefined ? message : await reply.decode(message.payload, message)
    } finally {
      waiting.delete(id)
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function faultOf([, text]: UserProperty): MqttError {
  const [, code = '128', message = failure] = /^(\d{1,3}) (.*)$/s.exec(text) ?? []
  return new MqttError(Number(code), message)
}

/** Answers requests: calls the handler with one after the other, and sends what it returns to who asked. */
export function serve<T = string | Uint8Array>(
  client: Client,
  topicFilter: string,
  handler: (message: Message) => T | Promise<T>,
  options?: ServeOptions<T>,
): Promise<Subscription>
export function serve<P, Q, T = string | Uint8Array>(
  client: Client,
  source: Source<TypedMessage<P, Q>>,
  handler: (message: TypedMessage<P, Q>) => T | Promise<T>,
  options?: ServeOptions<T>,
): Promise<Subscription<TypedMessage<P, Q>>>
export async function serve<M extends Pick<Message, 'properties' | 'qos' | 'ack'>, T>(
  client: Client,
  from: string | Source<M>,
  handler: (message: M) => T | Promise<T>,
  { reply, onError, ...options }: ServeOptions<T> = {},
): Promise<Subscription<M>> {
  return client.subscribe(from as Source<M>, { qos: 1, ...options }, async (message) => {
    const { responseTopic, correlationData } = message.properties
    let payload: unknown = ''
    const userProperty: UserProperty[] = []
    try {
      const answer = await handler(message)
      payload = reply === undefined ? answer : await reply.encode(answer, responseTopic ?? '')
    } catch (error) {
      onError?.(error as Error)
      const isOurs = error instanceof MqttError
      userProperty.push([failed, isOurs ? `${error.reasonCode} ${error.message}` : `128 ${failure}`])
    }
    if (responseTopic === undefined) return
    const properties = { ...(correlationData && { correlationData }), ...(userProperty.length > 0 && { userProperty }) }
    try {
      await client.publish(responseTopic, payload as Uint8Array, { qos: message.qos, properties })
    } catch (error) {
      onError?.(error as Error) // who asked hears nothing, and gives up in time
    }
  })
}
