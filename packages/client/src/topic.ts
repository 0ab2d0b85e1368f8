/** Topics with types: names for their levels, and what their payloads mean. */

import type { PublishProperties, QoS } from '@tidewire/codec'
import { type Captures, topicPattern } from '@tidewire/topics'
import type { Address, Source } from './client.js'
import type { Message } from './message.js'
import type { PayloadCodec } from './payload.js'
import type { Subscription } from './subscription.js'

/** A message whose payload has been decoded. */
export interface TypedMessage<Params, T> {
  readonly topic: string
  /** What stands in the named levels of the topic. */
  readonly params: Params
  readonly data: T
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties
  /** As it came. */
  readonly message: Message
  /** See `Message.ack`. */
  ack(reasonCode?: number): void
}

export interface TopicOptions {
  /** Is told of payloads that cannot be decoded. They are refused with 0x99 and not seen by loops. */
  readonly onInvalid?: (error: Error, message: Message) => void
}

/** Topics of a pattern: called with the named levels it is where to publish, as it is what to subscribe to. */
export interface Topic<Pattern extends string, T> extends Source<TypedMessage<Captures<Pattern>, T>> {
  (params: Captures<Pattern>): Address<T>
}

/**
 * Topics of a pattern such as `site/:site/temperature`, with payloads of a codec. Throws TypeError for a pattern that makes
 * no Topic Filter; the topics that it makes throw it for a level that is empty or has one of `/+#`.
 */
export function topic<const Pattern extends string, T>(
  pattern: Pattern,
  codec: PayloadCodec<T>,
  { onInvalid = () => {} }: TopicOptions = {},
): Topic<Pattern, T> {
  const { filter, match } = topicPattern(pattern)
  const { contentType } = codec
  const at = (params: Readonly<Record<string, string | undefined>>): Address<T> => {
    const levels = pattern.split('/').map((level) => {
      if (level[0] !== ':') return level
      const value = params[level.slice(1)]
      if (typeof value !== 'string' || !/^[^/+#]+$/.test(value)) throw new TypeError(`${level} cannot be ${value}`)
      return value
    })
    const name = levels.join('/')
    return {
      topic: name,
      properties: contentType === undefined ? {} : { contentType },
      encode: (data) => codec.encode(data, name),
    }
  }
  return Object.assign(at as (params: Captures<Pattern>) => Address<T>, {
    filter,
    from: (subscription: Subscription) =>
      new TypedSubscription(
        subscription,
        async (message) => {
          const params = match(message.topic)
          // Not of this pattern: that of a Shared Subscription may differ.
          if (params === undefined) throw new TypeError(`${message.topic} is no topic of ${pattern}`)
          return { params, data: await codec.decode(message.payload, message) }
        },
        onInvalid,
      ),
  })
}

type Decoded<Params, T> = { readonly params: Params; readonly data: T }

class TypedSubscription<Params, T> implements Subscription<TypedMessage<Params, T>> {
  readonly #inner: Subscription
  readonly #decode: (message: Message) => Promise<Decoded<Params, T>>
  readonly #onInvalid: (error: Error, message: Message) => void

  constructor(
    inner: Subscription,
    decode: (message: Message) => Promise<Decoded<Params, T>>,
    onInvalid: (error: Error, message: Message) => void,
  ) {
    this.#inner = inner
    this.#decode = decode
    this.#onInvalid = onInvalid
  }

  get topicFilter(): string {
    return this.#inner.topicFilter
  }

  get qos(): QoS {
    return this.#inner.qos
  }

  get dropped(): number {
    return this.#inner.dropped
  }

  get ended(): Promise<Error | undefined> {
    return this.#inner.ended
  }

  async next(): Promise<IteratorResult<TypedMessage<Params, T>, undefined>> {
    for (;;) {
      const { value: message } = await this.#inner.next()
      if (message === undefined) return { done: true, value: undefined }
      try {
        const decoded = await this.#decode(message)
        const { topic, qos, retain, properties } = message
        const ack = (reasonCode?: number): void => message.ack(reasonCode)
        return { done: false, value: { ...decoded, topic, qos, retain, properties, message, ack } }
      } catch (error) {
        message.ack(0x99)
        this.#onInvalid(error as Error, message)
      }
    }
  }

  async return(): Promise<IteratorResult<TypedMessage<Params, T>, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  close(reason?: Error): Promise<void> {
    return this.#inner.close(reason)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
