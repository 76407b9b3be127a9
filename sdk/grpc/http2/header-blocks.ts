/** HEADERS and the CONTINUATION frames behind them, put together. */
import { ConnectionError, errorCode, flag, frameType, protocolError, withoutPadding } from './frames.ts'

const blockBytesMax = 65_536
const partsMax = 64

export interface HeaderBlock {
  id: number
  isEndOfStream: boolean
  bytes: Buffer
}

export class HeaderBlocks {
  #open: { id: number; isEndOfStream: boolean; parts: Buffer[]; bytes: number } | undefined

  /** Throws for a frame that must not come now. */
  expect(type: number, id: number): void {
    if (this.#open && (type !== frameType.continuation || id !== this.#open.id))
      throw protocolError('a header block is interrupted')
  }

  /** The block, if it is whole with this HEADERS frame. */
  begin(id: number, flags: number, payload: Buffer): HeaderBlock | undefined {
    if (id === 0) throw protocolError('HEADERS of no stream')
    const bytes = withoutPriority(id, flags, withoutPadding(flags, payload))
    const isEndOfStream = (flags & flag.endStream) !== 0
    if (flags & flag.endHeaders) return { id, isEndOfStream, bytes }
    this.#open = { id, isEndOfStream, parts: [bytes], bytes: bytes.length }
    return undefined
  }

  /** The block, if it is whole with this CONTINUATION frame. */
  goOn(flags: number, payload: Buffer): HeaderBlock | undefined {
    const open = this.#open
    if (!open) throw protocolError('CONTINUATION of nothing')
    open.parts.push(payload)
    open.bytes += payload.length
    if (open.bytes > blockBytesMax || open.parts.length > partsMax)
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header block is too large')
    if (!(flags & flag.endHeaders)) return undefined
    this.#open = undefined
    return { id: open.id, isEndOfStream: open.isEndOfStream, bytes: Buffer.concat(open.parts) }
  }
}

function withoutPriority(id: number, flags: number, payload: Buffer): Buffer {
  if (!(flags & flag.priority)) return payload
  if (payload.length < 5) throw new ConnectionError(errorCode.frameSizeError, 'HEADERS are too short')
  if ((payload.readUInt32BE(0) & 0x7fffffff) === id) throw protocolError('a stream depends on itself')
  return payload.subarray(5)
}
