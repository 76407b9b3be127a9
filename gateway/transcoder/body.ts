import type { IncomingMessage } from 'node:http'
import { status } from '@grpc/grpc-js'
import { RpcError } from './errors.ts'

/** Reads a request's body; more than `bytesMax` is refused as 413, at once when the length is announced. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > bytesMax) return Promise.reject(tooLarge(bytesMax))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const stop = (error: Error): void => {
      request.off('data', onData)
      request.pause()
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > bytesMax) return stop(tooLarge(bytesMax))
      chunks.push(chunk)
    }
    request.on('data', onData)
    const onClose = (): void => stop(new RpcError(status.CANCELLED, 'the caller went away'))
    request.once('end', () => {
      request.off('close', onClose)
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes))
    })
    request.once('error', stop)
    request.once('close', onClose)
  })
}

function tooLarge(bytesMax: number): RpcError {
  // gRPC's own word for a message over the limit; a repeat would meet the same, so there is no RetryInfo.
  return new RpcError(status.RESOURCE_EXHAUSTED, `the body is larger than ${bytesMax} bytes`, {
    httpStatus: 413,
    reason: 'BODY_TOO_LARGE',
  })
}

/** Refuses a body that does not claim to be JSON. */
export function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type']
  if (type !== undefined && !/^application\/(?:json|[\w.-]+\+json)\s*(?:;|$)/i.test(type)) {
    throw new RpcError(status.INVALID_ARGUMENT, 'the body must be application/json', {
      httpStatus: 415,
      reason: 'MEDIA_TYPE',
      headers: { accept: 'application/json' },
    })
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new RpcError(status.INVALID_ARGUMENT, 'the body must not be compressed', {
      httpStatus: 415,
      reason: 'MEDIA_TYPE',
      headers: { 'accept-encoding': 'identity' },
    })
  }
}
