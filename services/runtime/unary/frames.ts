/** HTTP/2 frames (RFC 9113, section 4): reading them out of a byte stream, and writing their heads. */

export const frameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const frameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** Error codes of RFC 9113, section 7. */
export const errorCode = {
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  frameSize: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compression: 0x9,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
} as const

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
} as const

export const frameHeadBytes = 9
/** The largest payload of a frame that either side may send unless it is told otherwise. */
export const frameBytesMax = 16_384

/** The peer breaks the protocol: the connection is given up with this code. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** Writes a frame's head into `buffer`. */
export function writeFrameHead(
  buffer: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  buffer[at] = length >>> 16
  buffer[at + 1] = length >>> 8
  buffer[at + 2] = length
  buffer[at + 3] = type
  buffer[at + 4] = flags
  buffer.writeUInt32BE(stream, at + 5)
}

/** A whole frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + payload.length)
  writeFrameHead(bytes, 0, payload.length, type, flags, stream)
  bytes.set(payload, frameHeadBytes)
  return bytes
}

/** A frame whose payload is one 32-bit number: RST_STREAM, WINDOW_UPDATE. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + 4)
  writeFrameHead(bytes, 0, 4, type, 0, stream)
  bytes.writeUInt32BE(value, frameHeadBytes)
  return bytes
}

/** Receives frames; the payload is a view of what was read. */
export type OnFrame = (type: number, flags: number, stream: number, payload: Buffer) => void

/** Cuts a byte stream into frames. */
export class FrameReader {
  readonly #onFrame: OnFrame
  #rest: Buffer | undefined

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** Takes the next bytes; throws ConnectionError, also what `onFrame` throws. */
  push(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= frameHeadBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      if (length > frameBytesMax) throw new ConnectionError(errorCode.frameSize, 'a frame is too large')
      const end = at + frameHeadBytes + length
      if (end > bytes.length) break
      const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff
      this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, stream, bytes.subarray(at + frameHeadBytes, end))
      at = end
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at)
  }
}

/** The content of a DATA or HEADERS frame, without padding and priority; throws ConnectionError. */
export function contentOf(flags: number, payload: Buffer): Buffer {
  let start = 0
  let end = payload.length
  if (flags & frameFlag.padded) {
    end -= payload[0] ?? 0
    start = 1
  }
  if (flags & frameFlag.priority) start += 5
  if (start > end) throw new ConnectionError(errorCode.protocol, 'the padding is larger than the frame')
  return payload.subarray(start, end)
}
