/** Retained messages (section 3.3.1.3): the last of each topic, for those who subscribe later. */

import { NameTree } from '@tidewire/topics'
import type { Environment } from './environment.js'
import type { Message } from './message.js'
import type { Subscription } from './session.js'

export class Retained {
  readonly #messages: NameTree<Message> = new NameTree()
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** The number of topics that have a retained message. */
  get size(): number {
    return this.#messages.size
  }

  /** Keeps a message that was published with RETAIN [MQTT-3.3.1-5]; an empty one removes what is there [MQTT-3.3.1-6]. */
  store(message: Message): void {
    if (message.payload.length === 0) this.#messages.delete(message.topic)
    else this.#messages.set(message.topic, message)
  }

  /** Sends a session the retained messages that its subscription matches [MQTT-3.3.1-9]. */
  deliver({ session, topicFilter, qos, noLocal, identifier }: Subscription): void {
    const now = this.#environment.clock.now()
    const identifiers = identifier > 0 ? [identifier] : []
    for (const [topic, message] of this.#messages.match(topicFilter)) {
      if (message.isExpired(now)) this.#messages.delete(topic)
      else if (!noLocal || message.publisher !== session.clientId) {
        session.deliver(message, qos, true, identifiers)
      }
    }
  }
}
