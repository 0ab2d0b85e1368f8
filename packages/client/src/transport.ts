/** What the client needs of a network: an ordered, lossless stream of bytes [MQTT-4.2.0-1]. */

/** Who is told what happens to a stream. */
export interface StreamHandler {
  /** Bytes have come; nobody changes them from now on. */
  data(bytes: Uint8Array): void
  /** All that was written has been taken by the network. */
  drained(): void
  /** The stream is gone, with the error that ended it if one did. Called once, last. */
  closed(error?: Error): void
}

export interface Stream {
  /** Bytes written and not yet taken by the network. */
  readonly backlog: number
  /** Writes; the bytes may not be changed afterwards. */
  write(bytes: Uint8Array): void
  /** Sends what was written, then ends the stream. */
  end(): void
  /** Cuts the stream at once. */
  destroy(): void
}

/** Opens a stream. Rejects when it cannot, and when the signal says so before it is open. */
export type Transport = (handler: StreamHandler, signal: AbortSignal) => Promise<Stream>
