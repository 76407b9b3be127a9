import { WireReader } from './wire/reader.ts'

/** A `google.api.HttpBody`, for whoever wants bytes and not JSON. */
export interface HttpBody {
  readonly contentType: string
  readonly data: Buffer
}

/** Reads a `google.api.HttpBody`; its `data` is a view, not a copy. */
export function readHttpBody(bytes: Uint8Array): HttpBody {
  const reader = new WireReader(bytes)
  let contentType = 'application/octet-stream'
  let data: Buffer = Buffer.alloc(0)
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag === ((1 << 3) | 2)) contentType = reader.string()
    else if (tag === ((2 << 3) | 2)) data = reader.view()
    else reader.skip(tag)
  }
  return { contentType: /^[\x20-\x7e]+$/.test(contentType) ? contentType : 'application/octet-stream', data }
}
