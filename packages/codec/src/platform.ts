/** What the codec takes of its platform, chosen once at load. */

interface Platform {
  Buffer?: { prototype: { latin1Slice?(start: number, end: number): string }; allocUnsafe(size: number): Uint8Array }
  TextDecoder: new (
    label: string,
    options: { fatal: boolean; ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array): string }
  TextEncoder: new () => { encode(text: string): Uint8Array }
}

const platform = globalThis as unknown as Platform

/** A method of Node's Buffer, to be called on any Uint8Array; undefined where there is none, or only an imitation. */
export const latin1Slice: ((start: number, end: number) => string) | undefined = /* @__PURE__ */ (() =>
  platform.Buffer?.prototype.latin1Slice)()

// A byte order mark is text like any other [MQTT-1.5.4-3].
export const decoder: InstanceType<Platform['TextDecoder']> = /* @__PURE__ */ new platform.TextDecoder('utf-8', {
  fatal: true,
  ignoreBOM: true,
})
export const encoder: InstanceType<Platform['TextEncoder']> = /* @__PURE__ */ new platform.TextEncoder()

/** Bytes of a block: below half of Node's pool, from which it then comes. */
const blockSize = 4095

/** Memory in which packets are written one behind the other. */
export function allocateBlock(): Uint8Array {
  return platform.Buffer === undefined ? new Uint8Array(blockSize) : platform.Buffer.allocUnsafe(blockSize)
}

/**
 * Whether the platform itself gives away parts of larger blocks, as Node does with small Buffers, which then cannot be
 * transferred to a worker. Elsewhere nobody expects it, and a transfer would take the bytes of other packets along.
 */
export const sharesBlocks: boolean = /* @__PURE__ */ isPooled()

function isPooled(): boolean {
  return allocateBlock().buffer.byteLength > blockSize
}
