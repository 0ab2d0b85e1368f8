/** A disk that can lose its power, run full and fail: what the system has been given is not yet on it. */

import { StoreError } from '@tidewire/broker/store'
import type { LogFile, LogFiles } from '@tidewire/store-log'

/** What a file holds as programs see it, and what of that is on the disk. */
interface Inode {
  seen: Buffer
  kept: Buffer
  /** Writes that are not on the disk. */
  pending: { readonly bytes: Buffer; readonly position: number }[]
}

export type Operation = 'open' | 'read' | 'write' | 'sync' | 'list' | 'unlink' | 'rename' | 'syncDirectory' | 'size'

/** Asked before each operation: an error makes it fail, a number makes a write as short as that. */
export type Fault = (operation: Operation, name: string, count: number) => Error | number | undefined

export const systemError = (code: string): Error => Object.assign(new Error(`${code}: from the disk`), { code })

const sector = 64

export class Disk implements LogFiles {
  readonly name = 'disk'
  readonly seen: Map<string, Inode> = new Map()
  #kept: Map<string, Inode> = new Map()
  /** Changes of the directory that are not on the disk. */
  #pending: ((names: Map<string, Inode>) => void)[] = []
  #isLocked = false
  #isDead = false
  operations = 0
  /** Bytes that there is room for. */
  capacity = Number.POSITIVE_INFINITY
  fault: Fault = () => undefined

  /** The power goes: nothing that is under way ever ends, but of what was not synced anything may be on the disk. */
  powerCut(roll: (sides: number) => number): Disk {
    this.#isDead = true
    const after = new Disk()
    const names = new Map(this.#kept)
    for (const change of this.#pending.slice(0, roll(this.#pending.length + 1))) change(names) // journals keep the order
    for (const [name, { kept, pending }] of names) {
      let bytes: Buffer = Buffer.from(kept)
      for (const { bytes: written, position } of pending) {
        const luck = roll(3)
        if (luck === 0) continue
        for (let at = 0; at < written.length; at += sector) {
          if (luck === 1 && roll(2) === 0) continue
          bytes = put(bytes, written.subarray(at, at + sector), position + at)
        }
      }
      after.#add(name, bytes)
    }
    return after
  }

  /** The process is killed: all that the system was given stays. */
  kill(): Disk {
    this.#isDead = true
    const after = new Disk()
    for (const [name, { seen }] of this.seen) after.#add(name, Buffer.from(seen))
    return after
  }

  /** The same bytes on another disk. */
  copy(): Disk {
    const after = new Disk()
    for (const [name, { seen }] of this.seen) after.#add(name, Buffer.from(seen))
    return after
  }

  bytesOf(name: string): Buffer {
    return this.seen.get(name)!.seen
  }

  #add(name: string, bytes: Buffer): void {
    const inode = { seen: bytes, kept: bytes, pending: [] }
    this.seen.set(name, inode)
    this.#kept.set(name, inode)
  }

  /** Puts a file on the disk. */
  set(name: string, bytes: Buffer): void {
    this.#add(name, bytes)
  }

  /** Does an operation, all at once: what ends after the power has gone had been done before. */
  async #do<T>(operation: Operation, name: string, effect: (most: number) => T): Promise<T> {
    await Promise.resolve()
    const fault = this.#isDead ? undefined : this.fault(operation, name, ++this.operations)
    if (this.#isDead) return new Promise(() => {})
    if (fault instanceof Error) throw fault
    return effect(fault ?? Number.POSITIVE_INFINITY)
  }

  #change(change: (names: Map<string, Inode>) => void): void {
    change(this.seen)
    this.#pending.push(change)
  }

  #inode(name: string): Inode {
    const inode = this.seen.get(name)
    if (inode === undefined) throw systemError('ENOENT')
    return inode
  }

  async lock(): Promise<() => Promise<void>> {
    if (this.#isLocked) throw new StoreError('locked', 'it is open already')
    this.#isLocked = true
    return async () => {
      this.#isLocked = false
    }
  }

  list(): Promise<string[]> {
    return this.#do('list', '', () => [...this.seen.keys()].reverse())
  }

  open(name: string, isNew: boolean): Promise<LogFile> {
    return this.#do('open', name, () => {
      if (isNew) {
        if (this.seen.has(name)) throw systemError('EEXIST')
        const made: Inode = { seen: Buffer.alloc(0), kept: Buffer.alloc(0), pending: [] }
        this.#change((names) => names.set(name, made))
      }
      return this.#file(this.#inode(name))
    })
  }

  #file(inode: Inode): LogFile {
    // By then it may have another name.
    const name = (): string => [...this.seen].find(([, each]) => each === inode)?.[0] ?? ''
    return {
      size: () => this.#do('size', name(), () => inode.seen.length),
      read: (buffer, offset, length, position) =>
        this.#do('read', name(), (most) =>
          inode.seen.copy(buffer, offset, position, position + Math.min(length, most)),
        ),
      write: (buffer, offset, length, position) =>
        this.#do('write', name(), (most) => {
          const used = [...this.seen.values()].reduce((sum, { seen }) => sum + seen.length, 0)
          const room = inode.seen.length + Math.max(0, this.capacity - used) - position
          if (room <= 0) throw systemError('ENOSPC')
          const bytes = Buffer.from(buffer.subarray(offset, offset + Math.min(length, room, most)))
          inode.seen = put(inode.seen, bytes, position)
          inode.pending.push({ bytes, position })
          return bytes.length
        }),
      sync: () => {
        const { pending } = inode
        const done = this.#do('sync', name(), () => {
          for (const { bytes, position } of pending) inode.kept = put(inode.kept, bytes, position)
          pending.length = 0
        })
        // What it could not write it forgets: another sync would find nothing to do.
        done.catch(() => {
          pending.length = 0
        })
        return done
      },
      close: async () => {},
    }
  }

  unlink(name: string): Promise<void> {
    return this.#do('unlink', name, () => {
      this.#inode(name)
      this.#change((names) => names.delete(name))
    })
  }

  rename(name: string, to: string): Promise<void> {
    return this.#do('rename', name, () => {
      const inode = this.#inode(name)
      this.#change((names) => {
        names.delete(name)
        names.set(to, inode)
      })
    })
  }

  sync(): Promise<void> {
    return this.#do('syncDirectory', '', () => {
      for (const change of this.#pending.splice(0)) change(this.#kept)
    })
  }

  wait(): Promise<void> {
    return this.#isDead ? new Promise(() => {}) : new Promise((resolve) => setImmediate(resolve))
  }
}

function put(bytes: Buffer, written: Buffer, position: number): Buffer {
  const end = position + written.length
  const whole = end > bytes.length ? Buffer.concat([bytes, Buffer.alloc(end - bytes.length)]) : Buffer.from(bytes)
  written.copy(whole, position)
  return whole
}
