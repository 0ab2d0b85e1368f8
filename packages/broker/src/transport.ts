/** What a listener hands to the broker for each connection: an ordered, lossless stream of bytes [MQTT-4.2.0-1]. */

import type { PeerCertificate } from 'node:tls'
import type { Limits } from './options.js'

/** Who is at the other end of a stream, and under which conditions. */
export interface Peer {
  /** The name of the listener where it came in. */
  readonly listener: string
  /** Its own IP address, not that of a proxy; undefined where it has none or none is known. */
  readonly address: string | undefined
  readonly port: number | undefined
  /** What it has proved with TLS. */
  readonly certificate?: PeerCertificate | undefined
  readonly pskIdentity?: string | undefined
  /** What the log calls it. */
  readonly name: string
  /** The limits of the listener. */
  readonly limits: Limits
  /** When it was accepted, by the broker's clock: `connectTimeout` begins here. */
  readonly acceptedAt: number
}

/** Who is told what happens to a stream. */
export interface TransportHandler {
  /** Bytes have come; they are the handler's until it returns. */
  data(bytes: Uint8Array): void
  /** All that was written has been taken by the network. */
  drained(): void
  /** The stream is gone. Called once, last. */
  closed(): void
}

export interface Transport {
  readonly peer: Peer
  /** Set before the first bytes are read. */
  handler: TransportHandler
  /** Bytes written and not yet taken by the network. */
  readonly backlog: number
  /** Writes pieces one after the other; they may not be changed before `backlog` is 0 again. */
  write(pieces: readonly Uint8Array[]): void
  /** The peer is known: from now on it may send more than a CONNECT at a time. */
  opened(): void
  /** Stops reading, to hold the peer back. */
  pause(): void
  resume(): void
  /** Sends what was written, then ends the stream; `destroy` follows. */
  end(): void
  /** Cuts the stream at once. */
  destroy(): void
}
