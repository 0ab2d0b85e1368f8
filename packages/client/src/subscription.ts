// hot: runs per packet
/** A subscription as a stream of messages. */

import type { QoS } from '@tidewire/codec'
import type { Message } from './message.js'
import { Queue } from './queue.js'

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void
  reject(error: Error): void
}

/** What happens to QoS 0 messages that find the buffer full. */
export type Overflow = 'dropNewest' | 'dropOldest' | 'end'

/**
 * The messages of one subscription: `for await (const message of subscription)`. A message of QoS 1 or 2 is
 * acknowledged when the next one is asked for, and as acknowledgements keep their order, a subscription that is not read
 * holds up those of others. Leaving the loop unsubscribes and acknowledges what has come. When the client is closed for a
 * reason, the loop throws it after the messages that have come; while it connects again the loop waits.
 */
export interface Subscription<M = Message> extends AsyncIterableIterator<M, undefined, undefined>, AsyncDisposable {
  readonly topicFilter: string
  /** What the server granted. */
  readonly qos: QoS
  /** QoS 0 messages that were thrown away because the buffer was full. */
  readonly dropped: number
  /** Settles when there will be no more messages, with the error that ended it if one did. */
  readonly ended: Promise<Error | undefined>
  /** Unsubscribes and ends the loop; `ended` settles with the reason if one is given. */
  close(reason?: Error): Promise<void>
}

/** How a stream is kept. */
export interface StreamOptions {
  /** QoS 0 messages that may wait to be asked for. Default 1,000. */
  readonly buffer?: number
  /**
   * What happens to those that find the buffer full: the new one or the oldest is dropped and counted, or the
   * subscription ends with an error. Messages of QoS 1 and 2 are never dropped: there are no more than the Receive
   * Maximum. Default `dropNewest`.
   */
  readonly overflow?: Overflow
  /** Acknowledge by `message.ack()` only. Default false. */
  readonly manualAck?: boolean
}

const defaultBuffer = 1_000

/** The other side of a subscription: where the client puts messages in. */
export class MessageStream implements Subscription {
  readonly topicFilter: string
  readonly ended: Promise<Error | undefined>
  qos: QoS = 0
  dropped = 0
  readonly #options: StreamOptions
  readonly #unsubscribe: () => Promise<void>
  readonly #buffer: Queue<Message> = new Queue()
  #current: Message | undefined
  #waiter: Waiter | undefined
  #end: { error: Error | undefined } | undefined
  #onEnded!: (error: Error | undefined) => void

  constructor(topicFilter: string, options: StreamOptions, unsubscribe: () => Promise<void>) {
    this.topicFilter = topicFilter
    this.#options = options
    this.#unsubscribe = unsubscribe
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve
    })
  }

  async close(reason?: Error): Promise<void> {
    if (this.#end !== undefined) return
    this.finish(undefined, reason)
    this.discard()
    await this.#unsubscribe()
  }

  /** Gives up what the loop has not asked for, or is not done with: others wait for its acknowledgement. */
  discard(): void {
    this.#done()
    for (const message of this.#buffer.all().splice(0)) message.ack()
  }

  #done(): void {
    if (this.#options.manualAck !== true) this.#current?.ack()
    this.#current = undefined
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#done()
    const message = this.#buffer.shift()
    this.#current = message
    if (message !== undefined) return Promise.resolve({ done: false, value: message })
    const end = this.#end
    if (end?.error !== undefined) {
      this.#end = { error: undefined } // thrown once, as by any iterator
      return Promise.reject(end.error)
    }
    if (end !== undefined) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      if (this.#waiter !== undefined) throw new TypeError('the next message is being waited for already')
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

  /** Gives the loop a message. */
  push(message: Message): void {
    if (this.#end !== undefined) return message.ack()
    const waiter = this.#waiter
    if (waiter !== undefined) {
      this.#waiter = undefined
      this.#current = message
      return waiter.resolve({ done: false, value: message })
    }
    const { buffer = defaultBuffer, overflow } = this.#options
    if (message.qos === 0 && this.#buffer.length >= buffer) {
      if (overflow === 'end') return this.#overflowed()
      this.dropped++
      const all = this.#buffer.all()
      const oldest = overflow === 'dropOldest' ? all.findIndex(({ qos }) => qos === 0) : -1
      if (oldest < 0) return
      all.splice(oldest, 1)
    }
    this.#buffer.push(message)
  }

  #overflowed(): void {
    this.finish(new Error(`more messages of ${this.topicFilter} than the buffer takes`))
    // What the promise rejects with the loop does not need to know: the connection is lost, and its messages with it.
    this.#unsubscribe().catch(() => {})
  }

  /** Ends the loop, with an error if there is one. */
  finish(error: Error | undefined, reason: Error | undefined = error): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#onEnded(reason)
    if (this.#waiter === undefined) return
    const { resolve, reject } = this.#waiter
    this.#waiter = undefined
    if (error === undefined) return resolve({ done: true, value: undefined })
    this.#end = { error: undefined }
    reject(error)
  }
}
