// hot: runs per packet
/** Topic Aliases of the peer (section 3.3.2.3.4): what they stand for on one Network Connection [MQTT-3.3.2-7]. */

import { checkMaximum } from './maximum.js'

/** Why the topic of a PUBLISH cannot be told: what to end the connection with, in the terms of `MqttError`. */
export interface AliasFault {
  readonly reasonCode: number
  readonly message: string
  /** The broken rule: an id such as `MQTT-3.3.2-8`, or the section where a rule without id stands. */
  readonly statement: string
}

/** Made for each connection anew. Keeps no more topics than the peer may use aliases. */
export class IncomingAliases {
  readonly #maximum: number
  readonly #topics: string[] = []

  /** `maximum` is the Topic Alias Maximum that was sent to the peer. Throws RangeError unless it is 0 to 65,535. */
  constructor(maximum = 0) {
    this.#maximum = checkMaximum(maximum, 0)
  }

  /**
   * The Topic Name of a PUBLISH: the one that it has, which its Topic Alias stands for from now on, or if it has none (an
   * empty string), the one that its alias stands for. `topic` must be valid, for it may come back later.
   */
  resolve(topic: string, alias?: number): string | AliasFault {
    if (alias === undefined) {
      return topic === '' ? fault(0x82, 'neither a Topic Name nor a Topic Alias', '3.3.2.1') : topic
    }
    if (alias === 0) return fault(0x94, 'the Topic Alias 0', 'MQTT-3.3.2-8')
    // [MQTT-3.3.2-10] [MQTT-3.3.2-12]
    if (alias > this.#maximum) return fault(0x94, `the Topic Alias ${alias} is above the Topic Alias Maximum`, '3.3.4')
    if (topic === '') return this.#topics[alias] ?? fault(0x82, `the Topic Alias ${alias} stands for nothing`, '3.3.4')
    this.#topics[alias] = topic
    return topic
  }
}

function fault(reasonCode: number, message: string, statement: string): AliasFault {
  return { reasonCode, message, statement }
}
