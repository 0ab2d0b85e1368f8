/** What is written in the records of a store, and read back: what outlives the broker, in plain data. */

import type { ProtocolVersion, QoS } from '@tidewire/codec'
import type { Awaited } from '@tidewire/session'
import type { Client } from '../hooks.js'
import { type Overflow, overflows } from '../policy.js'
import { StoreError } from './store.js'

/** What a message's packet does not say. Written before the packet. */
export interface MessageHead {
  /** Who published it; undefined for the broker and the application. */
  readonly publisher: Client | undefined
  /** Milliseconds since 1970 from which it is of no use; Infinity for never. */
  readonly expiresAt: number
  /** The version in which the packet is written. */
  readonly version: ProtocolVersion
}

export interface SessionRecord {
  readonly client: Client
  /** Seconds that it outlives its connection; Infinity for ever. */
  readonly expiryInterval: number
  /** Milliseconds since 1970 when its connection ended; 0 while it has one. */
  readonly endedAt: number
}

export interface SubscriptionRecord {
  /** The number of the session's record. */
  readonly session: number
  readonly topicFilter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** 0 for none. */
  readonly identifier: number
  readonly overflow: Overflow
}

/** A message for a session. Refers to the message until that is released. */
export interface DeliveryRecord {
  readonly session: number
  /** The number of the record of the subscription that it came by, which may be gone. */
  readonly subscription: number
  readonly qos: QoS
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[]
  /** 0 while it waits. */
  readonly packetId: number
  /** Only when it is in flight. */
  readonly awaits: Awaited
  /** Grows with what is sent, and with what is released. */
  readonly order: number
}

/** A QoS 2 message that has been accepted and not been released. */
export interface ReceivedRecord {
  readonly session: number
  readonly packetId: number
}

/** The Will of a session; it refers to the message. */
export interface WillRecord {
  readonly session: number
  /** Seconds. */
  readonly delayInterval: number
  /** Milliseconds since 1970 when it is to be published; 0 while its client is connected. */
  readonly dueAt: number
}

/** A message that is to be published later; it refers to the message. */
export interface DelayedRecord {
  /** Milliseconds since 1970. */
  readonly dueAt: number
}

/** Room in which a record is written; valid until the next one is. */
export interface Written {
  readonly bytes: Uint8Array
  readonly end: number
}

const { writeDoubleLE: writeDouble } = Buffer.prototype

let bytes: Buffer = Buffer.allocUnsafeSlow(1024)
let at = 0

function begin(most: number): void {
  if (bytes.length < most) bytes = Buffer.allocUnsafeSlow(most)
  at = 0
}

const written = (): Written => ({ bytes, end: at })

function putByte(value: number): void {
  bytes[at++] = value
}

function putNumber(value: number): void {
  at = bytes.writeDoubleLE(value, at)
}

function putText(text: string): void {
  const length = bytes.write(text, at + 4)
  bytes.writeUInt32LE(length, at)
  at += 4 + length
}

const sizeOf = (text: string | undefined): number => 4 + 3 * (text?.length ?? 0)

/** Takes values from bytes of a store. Throws StoreError for bytes that end before the value. */
class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor({ buffer, byteOffset }: Uint8Array, start: number, end: number) {
    this.#bytes = Buffer.from(buffer, byteOffset, end)
    this.#at = start
  }

  get at(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(most = 255): number {
    const value = this.#bytes[this.#take(1)]!
    if (value > most) throw new StoreError('damaged', `a record has ${value} where at most ${most} can be`)
    return value
  }

  number(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  text(): string {
    const length = this.#bytes.readUInt32LE(this.#take(4))
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new StoreError('damaged', 'a record is too short')
    this.#at += length
    return start
  }
}

/** Reads a record to its end. Throws StoreError for one that is longer or shorter. */
function readAll<R>(bytes: Uint8Array, start: number, end: number, read: (reader: Reader) => R): R {
  const reader = new Reader(bytes, start, end)
  const record = read(reader)
  if (!reader.isAtEnd) throw new StoreError('damaged', 'a record is too long')
  return record
}

function sizeOfClient({ clientId, userName, remoteAddress, listener }: Client): number {
  return sizeOf(clientId) + sizeOf(userName) + sizeOf(remoteAddress) + sizeOf(listener) + 16
}

function putClient({ clientId, userName, protocolVersion, remoteAddress, remotePort, listener }: Client): void {
  const has =
    (userName === undefined ? 0 : 1) + (remoteAddress === undefined ? 0 : 2) + (remotePort === undefined ? 0 : 4)
  putByte(protocolVersion)
  putByte(has)
  putText(clientId)
  putText(listener)
  if (userName !== undefined) putText(userName)
  if (remoteAddress !== undefined) putText(remoteAddress)
  if (remotePort !== undefined) putNumber(remotePort)
}

function readClient(reader: Reader): Client {
  const protocolVersion = readVersion(reader)
  const has = reader.byte(7)
  const clientId = reader.text()
  const listener = reader.text()
  const userName = has & 1 ? reader.text() : undefined
  const remoteAddress = has & 2 ? reader.text() : undefined
  const remotePort = has & 4 ? reader.number() : undefined
  return { clientId, userName, protocolVersion, remoteAddress, remotePort, listener }
}

function readVersion(reader: Reader): ProtocolVersion {
  const version = reader.byte(5)
  if (version < 3) throw new StoreError('damaged', `a record has the Protocol Version ${version}`)
  return version as ProtocolVersion
}

/** The bytes to write before a message's packet. They are the caller's own: one publisher's may be used again. */
export function encodeMessageHead({ publisher, expiresAt, version }: MessageHead): Uint8Array {
  begin(16 + (publisher === undefined ? 0 : sizeOfClient(publisher)))
  putByte(version)
  putNumber(expiresAt)
  putByte(publisher === undefined ? 0 : 1)
  if (publisher !== undefined) putClient(publisher)
  return new Uint8Array(bytes.subarray(0, at))
}

/** The same head for another message of its publisher. */
export function restampMessageHead(head: Uint8Array, expiresAt: number, version: ProtocolVersion): Uint8Array {
  head[0] = version
  writeDouble.call(head, expiresAt, 1)
  return head
}

/** The head of a message, and where its packet begins. Throws StoreError for what is none. */
export function decodeMessageHead(bytes: Uint8Array, start: number, end: number): MessageHead & { packetAt: number } {
  const reader = new Reader(bytes, start, end)
  const version = readVersion(reader)
  const expiresAt = reader.number()
  const publisher = reader.byte(1) === 0 ? undefined : readClient(reader)
  return { publisher, expiresAt, version, packetAt: reader.at }
}

export function encodeSession({ client, expiryInterval, endedAt }: SessionRecord): Written {
  begin(sizeOfClient(client) + 16)
  putNumber(expiryInterval)
  putNumber(endedAt)
  putClient(client)
  return written()
}

/** Throws StoreError for what is no record of a session; so do the others for theirs. */
export function decodeSession(bytes: Uint8Array, start: number, end: number): SessionRecord {
  return readAll(bytes, start, end, (reader) => {
    const expiryInterval = reader.number()
    const endedAt = reader.number()
    return { client: readClient(reader), expiryInterval, endedAt }
  })
}

export function encodeSubscription(record: SubscriptionRecord): Written {
  const { session, topicFilter, qos, noLocal, retainAsPublished, identifier, overflow } = record
  begin(sizeOf(topicFilter) + 20)
  putNumber(session)
  putByte(qos + (noLocal ? 4 : 0) + (retainAsPublished ? 8 : 0))
  putByte(overflows.indexOf(overflow))
  putNumber(identifier)
  putText(topicFilter)
  return written()
}

export function decodeSubscription(bytes: Uint8Array, start: number, end: number): SubscriptionRecord {
  return readAll(bytes, start, end, (reader) => {
    const session = reader.number()
    const flags = reader.byte(15)
    const overflow = overflows[reader.byte(overflows.length - 1)]!
    const identifier = reader.number()
    const topicFilter = reader.text()
    return {
      session,
      topicFilter,
      qos: readQoS(flags & 3),
      noLocal: (flags & 4) !== 0,
      retainAsPublished: (flags & 8) !== 0,
      identifier,
      overflow,
    }
  })
}

function readQoS(qos: number): QoS {
  if (qos > 2) throw new StoreError('damaged', 'a record has QoS 3')
  return qos as QoS
}

const steps: readonly Awaited[] = ['puback', 'pubrec', 'pubcomp']

export function encodeDelivery(record: DeliveryRecord): Written {
  const { session, subscription, qos, retain, subscriptionIdentifiers, packetId, awaits, order } = record
  begin(28 + 8 * subscriptionIdentifiers.length)
  putNumber(session)
  putNumber(subscription)
  putByte(qos + (retain ? 4 : 0) + (steps.indexOf(awaits) << 3))
  at = bytes.writeUInt16LE(packetId, at)
  putNumber(order)
  for (const identifier of subscriptionIdentifiers) putNumber(identifier)
  return written()
}

export function decodeDelivery(bytes: Uint8Array, start: number, end: number): DeliveryRecord {
  return readAll(bytes, start, end, (reader) => {
    const session = reader.number()
    const subscription = reader.number()
    const flags = reader.byte(0b10_111)
    const packetId = reader.byte() + reader.byte() * 256
    const order = reader.number()
    const subscriptionIdentifiers: number[] = []
    while (!reader.isAtEnd) subscriptionIdentifiers.push(reader.number())
    const qos = readQoS(flags & 3)
    const retain = (flags & 4) !== 0
    return { session, subscription, qos, retain, subscriptionIdentifiers, packetId, awaits: steps[flags >> 3]!, order }
  })
}

export function encodeReceived({ session, packetId }: ReceivedRecord): Written {
  begin(10)
  putNumber(session)
  at = bytes.writeUInt16LE(packetId, at)
  return written()
}

export function decodeReceived(bytes: Uint8Array, start: number, end: number): ReceivedRecord {
  return readAll(bytes, start, end, (reader) => ({
    session: reader.number(),
    packetId: reader.byte() + reader.byte() * 256,
  }))
}

export function encodeWill({ session, delayInterval, dueAt }: WillRecord): Written {
  begin(24)
  putNumber(session)
  putNumber(delayInterval)
  putNumber(dueAt)
  return written()
}

export function decodeWill(bytes: Uint8Array, start: number, end: number): WillRecord {
  return readAll(bytes, start, end, (reader) => ({
    session: reader.number(),
    delayInterval: reader.number(),
    dueAt: reader.number(),
  }))
}

export function encodeDelayed({ dueAt }: DelayedRecord): Written {
  begin(8)
  putNumber(dueAt)
  return written()
}

export function decodeDelayed(bytes: Uint8Array, start: number, end: number): DelayedRecord {
  return readAll(bytes, start, end, (reader) => ({ dueAt: reader.number() }))
}
