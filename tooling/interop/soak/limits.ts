/** Limits so low that the memory they allow is reached within seconds: it is flat from then on, or not at all. */

import type { Limits } from '@tidewire/broker'

export const limits: Partial<Limits> = {
  connectTimeout: 500,
  maxKeepAlive: 2,
  maxSessionExpiry: 5,
  sessionExpiryBefore5: 5,
  maxQueuedMessages: 100,
  maxQueuedBytes: 256 * 1024,
  maxBufferedBytes: 256 * 1024,
  maxRetainedBytes: 4 * 1024 * 1024,
  maxConnections: 2_000,
  maxSessions: 2_000,
  maxSharedGroups: 500,
}
