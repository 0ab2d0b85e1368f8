/** The part of u8-mqtt-packet that is measured; it comes without types. */

declare module 'u8-mqtt-packet' {
  export const mqtt_opts_v5: object
  export function mqtt_pkt_ctx(
    level: number,
    options: object,
    api: object,
  ): {
    mqtt_stream(): { decode(bytes: Uint8Array): unknown[] }
    encode_pkt(type: string, packet: object): Uint8Array
  }
}

declare module 'u8-mqtt-packet/esm/codec_v4_full.js' {
  export const mqtt_opts_v4: object
}
