/** The frames of HTTP/2 (RFC 9113, section 6): their names, how they are written, and how they are cut from a stream of bytes. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
} as const

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

/** What a client sends first, before its SETTINGS. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** The largest payload that every peer takes, and the largest that we take. */
export const frameBytesMax = 16_384

export const headerBytes = 9

/** The largest window, id and number of streams that there can be. */
export const windowMax = 0x7fffffff

/** What the peer did ends the connection. */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** What the peer did ends one stream. */
export class StreamError extends Error {
  override name = 'StreamError'
  readonly code: number
  readonly streamId: number

  constructor(streamId: number, code: number, message: string) {
    super(message)
    this.streamId = streamId
    this.code = code
  }
}

export function protocolError(message: string): ConnectionError {
  return new ConnectionError(errorCode.protocolError, message)
}

/** The payload of a frame that may be padded. */
export function withoutPadding(flags: number, payload: Buffer): Buffer {
  if (!(flags & flag.padded)) return payload
  const padding = payload[0]
  if (padding === undefined || padding >= payload.length) throw protocolError('more padding than payload')
  return payload.subarray(1, payload.length - padding)
}

/** Throws unless the frame has as many bytes as it must. */
export function expectBytes(payload: Buffer, bytes: number, name: string): void {
  if (payload.length !== bytes) throw new ConnectionError(errorCode.frameSizeError, `${name} must have ${bytes} bytes`)
}

/** Throws unless a PRIORITY frame is what it must be; what it says means nothing any more. */
export function checkPriority(id: number, payload: Buffer): void {
  if (id === 0) throw protocolError('PRIORITY of no stream')
  if (payload.length !== 5) throw new StreamError(id, errorCode.frameSizeError, 'PRIORITY must have 5 bytes')
  if ((payload.readUInt32BE(0) & windowMax) === id)
    throw new StreamError(id, errorCode.protocolError, 'a stream depends on itself')
}

/** Writes the nine bytes before a frame's payload. */
export function writeFrameHeader(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  into[at] = length >>> 16
  into[at + 1] = length >>> 8
  into[at + 2] = length
  into[at + 3] = type
  into[at + 4] = flags
  into[at + 5] = streamId >>> 24
  into[at + 6] = streamId >>> 16
  into[at + 7] = streamId >>> 8
  into[at + 8] = streamId
}

/** A whole frame; its payload is copied. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length)
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId)
  bytes.set(payload, headerBytes)
  return bytes
}

/** A frame whose payload is one or two 32-bit numbers. */
export function numberFrame(type: number, streamId: number, ...numbers: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + 4 * numbers.length)
  writeFrameHeader(bytes, 0, 4 * numbers.length, type, 0, streamId)
  for (const [i, value] of numbers.entries()) bytes.writeUInt32BE(value, headerBytes + 4 * i)
  return bytes
}

export function settingsFrame(settings: [id: number, value: number][]): Buffer {
  const payload = Buffer.allocUnsafe(6 * settings.length)
  for (const [i, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  }
  return frame(frameType.settings, 0, 0, payload)
}

export type OnFrame = (type: number, flags: number, streamId: number, payload: Buffer) => void

/** Cuts a connection's bytes into frames. Throws a ConnectionError for one that is larger than we take. */
export class FrameReader {
  #rest: Buffer | undefined
  readonly #onFrame: OnFrame

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    this.#rest = undefined
    let at = 0
    while (bytes.length - at >= headerBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      if (length > frameBytesMax) throw new ConnectionError(errorCode.frameSizeError, 'a frame is too large')
      const end = at + headerBytes + length
      if (end > bytes.length) break
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff
      this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes.subarray(at + headerBytes, end))
      at = end
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at)
  }
}
