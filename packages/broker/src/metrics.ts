/** Counters of what the broker does. */

export class Metrics {
  /** Now, not since the start. */
  connections = 0
  packetsReceived = 0
  packetsSent = 0
  bytesReceived = 0
  bytesSent = 0
  messagesReceived = 0
  messagesSent = 0
  /** Copies of messages that were not delivered, by reason. */
  readonly dropped: Record<DropReason, number> = {
    queueFull: 0,
    slowConnection: 0,
    tooLarge: 0,
    expired: 0,
    notAuthorized: 0,
    refused: 0,
  }
}

/** Why a copy of a message did not reach a subscriber. */
export type DropReason = 'queueFull' | 'slowConnection' | 'tooLarge' | 'expired' | 'notAuthorized' | 'refused'
