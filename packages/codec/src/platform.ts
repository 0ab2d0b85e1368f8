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
export const latin1Slice: ((start: number, end: number) => string) | undefined = platform.Buffer?.prototype.latin1Slice

// A byte order mark is text like any other [MQTT-1.5.4-3].
export const decoder: InstanceType<Platform['TextDecoder']> = /* @__PURE__ */ new platform.TextDecoder('utf-8', {
  fatal: true,
  ignoreBOM: true,
})
export const encoder: InstanceType<Platform['TextEncoder']> = /* @__PURE__ */ new platform.TextEncoder()

/**
 * Whether bytes that are given away may be part of a larger block, as those of Node's small Buffers are. Elsewhere nobody
 * expects it, and the memory may be transferred to a worker.
 */
export const sharesBlocks: boolean = platform.Buffer !== undefined

/** Memory in which packets are written one behind the other. */
export function allocateBlock(): Uint8Array {
  return platform.Buffer === undefined ? new Uint8Array(4095) : platform.Buffer.allocUnsafe(4095)
}
