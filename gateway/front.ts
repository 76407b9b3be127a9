/**
 * What a request meets before it is transcoded:
 *
 *     headers of the answer ─► OPTIONS ─► limit of the address, but not of health ─► places ─► the transcoder
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { status } from '@grpc/grpc-js'
import { limitedAddress } from './client-address.ts'
import type { Limits } from './limits.ts'
import { refusal } from './refusal.ts'
import { answerOptions, prepareResponse, type ResponseHeaderOptions } from './response-headers.ts'
import { RpcError, type Transcoder } from './transcoder/transcoder.ts'

/** Answers at one path that is not the API's. */
export interface Place {
  readonly methods: readonly string[]
  /** Rejects with an RpcError that is told to the caller. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export interface FrontOptions {
  readonly headers: ResponseHeaderOptions
  readonly limits: Limits
  /** By path. */
  readonly places: ReadonlyMap<string, Place>
  readonly transcoder: Transcoder
}

/** Whether the gateway is alive, however much whoever asks that may ask for. */
const health: Place = {
  methods: ['GET', 'HEAD'],
  async answer(request, response) {
    response.writeHead(200, { 'content-type': 'text/plain' }).end(request.method === 'HEAD' ? undefined : 'ok\n')
  },
}

/** Answers a request, whatever it is; never rejects. */
export function createFront({ headers, limits, places, transcoder }: FrontOptions) {
  const answer = async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    const place = path === '/healthz' ? health : places.get(path)
    if (request.method === 'OPTIONS') {
      const methods = place?.methods ?? transcoder.allowedMethods(path)
      if (methods.length > 0 || path === '*') return answerOptions(request, response, methods)
    }
    if (place !== health) {
      const counting = limits.ofAddress(limitedAddress(headers.proxies.clientOf(request)), response)
      if (counting !== undefined) await counting
    }
    if (place === undefined) return transcoder.handle(request, response)
    if (!place.methods.includes(request.method ?? '')) {
      throw new RpcError(status.UNIMPLEMENTED, `only ${place.methods.join(', ')} is possible here`, {
        httpStatus: 405,
        reason: 'METHOD_NOT_ALLOWED',
        headers: { allow: place.methods.join(', ') },
      })
    }
    await place.answer(request, response)
  }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    prepareResponse(request, response, headers)
    const url = request.url ?? '/'
    try {
      await answer(request, response, url.split('?', 1)[0]!)
    } catch (error) {
      const isMeant = error instanceof RpcError
      transcoder.refuse(
        request,
        response,
        isMeant ? error : refusal(status.INTERNAL, 'INTERNAL', 'internal error', { cause: error }),
      )
    }
  }
}
