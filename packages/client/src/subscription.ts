/** A subscription as a stream of messages. */

import type { QoS } from '@tidewire/codec'
import type { Message } from './message.js'

interface Item {
  readonly message: Message
  /** Called when the application is done with the message. */
  readonly done: (() => void) | undefined
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void
  reject(error: Error): void
}

/**
 * The messages of one subscription: `for await (const message of subscription)`. A message of QoS 1 or 2 is
 * acknowledged when the next one is asked for, and as acknowledgements keep their order, a subscription that is not read
 * holds up those of others. Leaving the loop unsubscribes and acknowledges what has come. When the connection is lost, the
 * loop throws the reason after the messages that have come.
 */
export interface Subscription extends AsyncIterableIterator<Message, undefined, undefined>, AsyncDisposable {
  readonly topicFilter: string
  /** What the server granted. */
  readonly qos: QoS
  /** QoS 0 messages that were thrown away because the buffer was full. */
  readonly dropped: number
  /** Unsubscribes and ends the loop. */
  close(): Promise<void>
}

/** The other side of a subscription: where the client puts messages in. */
export class MessageStream implements Subscription {
  readonly topicFilter: string
  qos: QoS
  /** The Subscription Identifier, where the server takes one. */
  readonly identifier: number | undefined
  readonly #limit: number
  readonly #unsubscribe: () => Promise<void>
  #buffer: Item[] = []
  #current: Item | undefined
  #waiter: Waiter | undefined
  #end: { readonly error: Error | undefined } | undefined
  #dropped = 0

  constructor(
    topicFilter: string,
    qos: QoS,
    identifier: number | undefined,
    limit: number,
    unsubscribe: () => Promise<void>,
  ) {
    this.topicFilter = topicFilter
    this.qos = qos
    this.identifier = identifier
    this.#limit = limit
    this.#unsubscribe = unsubscribe
  }

  get dropped(): number {
    return this.#dropped
  }

  async close(): Promise<void> {
    if (this.#end !== undefined) return
    this.finish(undefined)
    this.discard()
    await this.#unsubscribe()
  }

  /** Gives up what the loop has not asked for, or is not done with: others wait for its acknowledgement. */
  discard(): void {
    this.#current?.done?.()
    this.#current = undefined
    for (const { done } of this.#buffer.splice(0)) done?.()
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    this.#current?.done?.()
    this.#current = this.#buffer.shift()
    if (this.#current !== undefined) return { done: false, value: this.#current.message }
    if (this.#end?.error !== undefined) {
      const { error } = this.#end
      this.#end = { error: undefined } // thrown once, as by any iterator
      throw error
    }
    if (this.#end !== undefined) return { done: true, value: undefined }
    if (this.#waiter !== undefined) throw new TypeError('the next message is being waited for already')
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Gives the loop a message. `done` is undefined for QoS 0. */
  push(message: Message, done: (() => void) | undefined): void {
    const item = { message, done }
    if (this.#waiter !== undefined) {
      const { resolve } = this.#waiter
      this.#waiter = undefined
      this.#current = item
      resolve({ done: false, value: message })
    } else if (done === undefined && this.#buffer.length >= this.#limit) {
      this.#dropped++ // QoS 1 and 2 are bounded by the Receive Maximum
    } else {
      this.#buffer.push(item)
    }
  }

  /** Ends the loop, with an error if there is one. */
  finish(error: Error | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    if (this.#waiter === undefined) return
    const { resolve, reject } = this.#waiter
    this.#waiter = undefined
    if (error === undefined) return resolve({ done: true, value: undefined })
    this.#end = { error: undefined }
    reject(error)
  }
}
