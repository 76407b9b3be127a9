import { ConnectionError, errorCode, setting } from './frames.ts'

/** What the peer has set of its own (RFC 9113, section 6.5.2). We never send frames larger than every peer takes. */
export class PeerSettings {
  initialWindow = 65_535
  /** No bound until the peer says one. */
  concurrentStreamsMax = Infinity

  /** False for a peer that keeps less of a header table than everybody does, and must be told that we agree. */
  keepsTable = true

  /** Reads the payload of a SETTINGS frame. */
  update(payload: Buffer): void {
    if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSizeError, 'SETTINGS must have 6 bytes each')
    for (let at = 0; at < payload.length; at += 6) this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
  }

  #set(id: number, value: number): void {
    if (id === setting.maxConcurrentStreams) this.concurrentStreamsMax = value
    if (id === setting.headerTableSize && value < 4_096) this.keepsTable = false
    if (id === setting.enablePush && value > 1) throw wrong(errorCode.protocolError, 'ENABLE_PUSH')
    if (id === setting.maxFrameSize && (value < 16_384 || value > 16_777_215))
      throw wrong(errorCode.protocolError, 'MAX_FRAME_SIZE')
    if (id !== setting.initialWindowSize) return
    if (value > 0x7fffffff) throw wrong(errorCode.flowControlError, 'INITIAL_WINDOW_SIZE')
    this.initialWindow = value
  }
}

function wrong(code: number, name: string): ConnectionError {
  return new ConnectionError(code, `${name} has a value that it must not have`)
}
