/** A store in a file, for Node, Bun and Deno: a session that survives the end of the process, whatever ended it. */

import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { decode, encodePublish } from '@tidewire/codec'
import type { Change, OutgoingRecord, SessionRecord, SessionStore } from '../store.js'

// A file is a list of changes: for each its length and CRC-32, of 4 bytes each, and its bytes. These begin with the kind
// and the key, of 8 bytes; a message follows with its Packet Identifier, what it awaits, and its PUBLISH packet.
const gone = 0
const incoming = 1
const outgoing = 2
const awaited = ['puback', 'pubrec', 'pubcomp'] as const
const headLength = 8
const mostLength = 0x1000_0000 + 64
// The file is written anew when it is so large, and so many times what would be left.
const leastGarbage = 1024 * 1024
const garbageFactor = 4

/**
 * Makes a store of files in a folder, one for each Client Identifier; they are for the user alone to read. A change is on
 * the disk when `write` settles. `load` rejects when the file is damaged, but for an end that a crash cut off, and when
 * another process has it.
 */
export function fileStore(folder: string): SessionStore {
  const records = new Map<number, SessionRecord>()
  let path = ''
  let file: FileHandle | undefined
  let size = 0

  const rewrite = async (): Promise<void> => {
    const bytes = Buffer.concat([...records.values()].map((put) => entryOf({ put })))
    const fresh = await open(`${path}.new`, 'w', 0o600)
    await fresh.writeFile(bytes)
    await fresh.sync()
    await rename(`${path}.new`, path)
    await syncFolder(folder)
    await file?.close()
    file = fresh
    size = bytes.length
  }

  return {
    async load(clientId) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      path = join(folder, `${createHash('sha256').update(clientId).digest('hex').slice(0, 32)}.session`)
      await lock(`${path}.lock`)
      try {
        const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return Buffer.alloc(0)
          throw error
        })
        records.clear()
        for (const change of changesIn(bytes, path)) apply(records, change)
        await rewrite() // without the end that was cut off
      } catch (error) {
        await rm(`${path}.lock`, { force: true })
        throw error
      }
      return [...records.values()]
    },
    async write(changes: readonly Change[]) {
      if (file === undefined) throw new Error('the store is closed')
      const bytes = Buffer.concat(changes.map(entryOf))
      for (const change of changes) apply(records, change)
      await file.appendFile(bytes)
      await file.datasync()
      size += bytes.length
      if (size < leastGarbage) return
      let live = 0
      for (const put of records.values()) live += entryOf({ put }).length
      if (size > live * garbageFactor) await rewrite()
    },
    async close() {
      if (file === undefined) return
      await file.close()
      file = undefined
      await rm(`${path}.lock`, { force: true })
    },
  }
}

function apply(records: Map<number, SessionRecord>, change: Change): void {
  if ('put' in change) records.set(change.put.key, change.put)
  else records.delete(change.delete)
}

function entryOf(change: Change): Buffer {
  const key = 'put' in change ? change.put.key : change.delete
  const record = 'put' in change && 'message' in change.put ? change.put : undefined
  const packet = record && encodePublish({ type: 'publish', ...record.message, packetId: record.packetId || 1 }, 5)
  const bytes = Buffer.alloc(headLength + 9 + (packet === undefined ? 0 : 3 + packet.length))
  bytes[headLength] = record !== undefined ? outgoing : 'put' in change ? incoming : gone
  bytes.writeDoubleBE(key, headLength + 1)
  if (record !== undefined) {
    bytes.writeUInt16BE(record.packetId, headLength + 9)
    bytes[headLength + 11] = awaited.indexOf(record.awaits)
    bytes.set(packet!, headLength + 12)
  }
  const body = bytes.subarray(headLength)
  bytes.writeUInt32BE(body.length, 0)
  bytes.writeUInt32BE(crc32(body), 4)
  return bytes
}

function* changesIn(bytes: Buffer, path: string): Generator<Change> {
  for (let at = 0; at < bytes.length; ) {
    const length = at + headLength <= bytes.length ? bytes.readUInt32BE(at) : mostLength
    const end = at + headLength + length
    const body = bytes.subarray(at + headLength, end)
    if (end > bytes.length || length === 0 || crc32(body) !== bytes.readUInt32BE(at + 4)) {
      // A crash leaves the last of what was written, or nothing but zeros in its place.
      if ((end >= bytes.length && length <= mostLength) || bytes.subarray(at).every((byte) => byte === 0)) return
      throw new Error(`${path} is damaged at byte ${at}`)
    }
    yield changeOf(body, path)
    at = end
  }
}

function changeOf(body: Buffer, path: string): Change {
  const kind = body[0]
  const key = body.readDoubleBE(1)
  if (kind === gone) return { delete: key }
  if (kind === incoming) return { put: { key } }
  const packet = decode(body.subarray(12))
  const awaits = awaited[body[11]!]
  if (packet?.type !== 'publish' || packet.qos === 0 || awaits === undefined) {
    throw new Error(`${path} is of a later version`)
  }
  const { topic, qos, retain, properties } = packet
  const message = { topic, payload: packet.payload.slice(), qos, retain, properties }
  return { put: { key, packetId: body.readUInt16BE(9), awaits, message } satisfies OutgoingRecord }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // where folders cannot be synced
  const handle = await open(folder)
  await handle.sync()
  await handle.close()
}

/** Takes the file for this process, unless one that is alive has it. */
async function lock(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(path, 'wx', 0o600)
      await handle.writeFile(String(process.pid))
      return await handle.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = Number(await readFile(path, 'utf8').catch(() => ''))
      if (attempt > 0 || isAlive(owner)) throw new Error(`process ${owner} has the session ${path}`)
      await rm(path, { force: true })
    }
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
