/** Wireshark's opinion of MQTT packets. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A network packet: an IPv4 header, a TCP header, the bytes. */
function segment(port: number, sequence: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(40)
  header[0] = 0x45 // IPv4, header of five words
  header.writeUInt16BE(header.length + bytes.length, 2)
  header[8] = 64 // time to live
  header[9] = 6 // TCP
  header.set([127, 0, 0, 1, 127, 0, 0, 1], 12)
  header.writeUInt16BE(port, 20)
  header.writeUInt16BE(1883, 22)
  header.writeUInt32BE(sequence, 24)
  header.set([0x50, 0x18, 0xff, 0xff], 32) // header of five words, PSH and ACK, window
  return Buffer.concat([header, bytes])
}

/** A capture file: each stream a TCP connection, each of its packets a segment. */
function capture(streams: readonly (readonly Uint8Array[])[]): Buffer {
  const file = Buffer.alloc(24)
  file.writeUInt32LE(0xa1b2c3d4, 0)
  file.writeUInt16LE(2, 4) // version 2.4
  file.writeUInt16LE(4, 6)
  file.writeUInt32LE(0x40000, 16) // longest segment
  file.writeUInt32LE(101, 20) // begins with the IP header
  const records = streams.flatMap((packets, stream) => {
    let sequence = 1
    return packets.map((bytes) => {
      const data = segment(10_000 + stream, sequence, bytes)
      sequence += bytes.length
      const record = Buffer.alloc(16)
      record.writeUInt32LE(data.length, 8)
      record.writeUInt32LE(data.length, 12)
      return Buffer.concat([record, data])
    })
  })
  return Buffer.concat([file, ...records])
}

/**
 * Lets tshark dissect streams of MQTT packets. Returns what it says of each packet in turn: the fields named, of which
 * those that come more than once are joined by `|`.
 */
export function dissect(streams: readonly (readonly Uint8Array[])[], fields: readonly string[]): Map<string, string>[] {
  const folder = mkdtempSync(join(tmpdir(), 'tshark-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'packets.pcap')
  writeFileSync(file, capture(streams))
  const args = ['-r', file, '-d', 'tcp.port==1883,mqtt', '-T', 'fields', '-E', 'aggregator=|']
  for (const field of fields) args.push('-e', field)
  const { stdout, stderr, status } = spawnSync('tshark', args, { encoding: 'utf8', maxBuffer: 0x4000000 })
  if (status !== 0) throw new Error(`tshark: ${stderr}`)
  const lines = stdout.slice(0, -1).split('\n')
  return lines.map(
    (line) => new Map(line.split('\t').map((value, i) => [fields[i]!, value.replaceAll('<MISSING>', '')])),
  )
}
