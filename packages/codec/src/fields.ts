/** The fields of a packet, one after the other: read by a `Reader`, or measured and written by an `Output`. */

import type { ProtocolVersion } from './packet-type.js'
import type { Given, Properties } from './properties.js'
import type { Relaxations } from './relaxations.js'

/**
 * What a packet's description is given. Each method takes the value to be written and returns the one that stands in the
 * packet, so that the same description reads and writes: a `Reader` passes over what it is given, an `Output` returns it.
 * They are called in the order of the wire: of an object that a description returns, the order of the keys is that order.
 */
export interface Fields {
  /** The version that is spoken; a CONNECT sets its own. */
  version: ProtocolVersion
  /** Rules that are not enforced. */
  readonly relaxed: Relaxations
  /** A number of one, two or four bytes (sections 1.5.1 to 1.5.3). The name is for the error. */
  uint(width: number, value?: number, name?: string): number
  /** A Variable Byte Integer (section 1.5.5). */
  varint(value?: number, name?: string): number
  /** A UTF-8 Encoded String (section 1.5.4). */
  string(text?: string): string
  /** A Topic Name, which has no wildcards: else the statement tells what it breaks. */
  topicName(topic: string | undefined, statement: string): string
  /** Binary Data (section 1.5.6). */
  binary(bytes?: Uint8Array): Uint8Array
  /** A Property Length and the properties behind it (section 2.2.2); none before MQTT 5.0. */
  propertiesOf(packetType: number, given?: Given<Properties>): Properties
  /** The error of the field that was last read or written. The statement is told as `MqttError` takes it. */
  fault(reasonCode: number, message: string, statement: string): Error
  /** Whether the packet goes on: with bytes that are left, or with what is given. */
  more(given: boolean): boolean
  /** Fields that repeat to the end of the packet. */
  list<T>(items: readonly T[] | undefined, name: string, describe: (item: Partial<T>) => T): T[]
}
