/** What payloads mean: codecs for JSON, text and bytes, and the interface for others. */

import type { Message } from './message.js'

/** Makes payloads of data and data of payloads: of a format, of sealed payloads, of anything. */
export interface PayloadCodec<T> {
  /** The Content Type of what it makes, for MQTT 5.0. */
  readonly contentType?: string
  /** Throws, or rejects, for what it cannot express. */
  encode(data: T, topic: string): Uint8Array | Promise<Uint8Array>
  /** Throws, or rejects, for a payload that is not of its kind: it may come from anybody. */
  decode(payload: Uint8Array, message: Message): T | Promise<T>
}

/** What is used of a schema of any library that implements Standard Schema, version 1. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    validate(value: unknown): SchemaResult<T> | Promise<SchemaResult<T>>
    readonly types?: { readonly input: unknown; readonly output: T } | undefined
  }
}

export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

/** JSON in UTF-8. What comes is held against the schema, if there is one; without it nothing is known of the data. */
export function json<T = unknown>(schema?: StandardSchema<T>): PayloadCodec<T> {
  const inner = text()
  return {
    contentType: 'application/json',
    encode(data, topic) {
      const encoded = JSON.stringify(data)
      if (encoded === undefined) throw new TypeError('it cannot be expressed in JSON')
      return inner.encode(encoded, topic)
    },
    async decode(payload, message) {
      const value: unknown = JSON.parse(await inner.decode(payload, message))
      if (schema === undefined) return value as T
      const result = await schema['~standard'].validate(value)
      if (result.issues === undefined) return result.value
      throw new TypeError(result.issues.map((issue) => issue.message).join('; '))
    },
  }
}

/** Text in UTF-8; other bytes are refused. */
export function text(): PayloadCodec<string> {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return {
    contentType: 'text/plain',
    encode: (data) => encoder.encode(data),
    decode: (payload) => decoder.decode(payload),
  }
}

/** The payload as it is. */
export function bytes(): PayloadCodec<Uint8Array> {
  return { encode: (data) => data, decode: (payload) => payload }
}
