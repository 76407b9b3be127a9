/** gRPC calls with messages that are bytes already. */
import type { Client, ClientReadableStream, Metadata, ServiceError } from '@grpc/grpc-js'
import type { Route } from './routes.ts'

/** One call, ready to be sent. */
export interface OutgoingCall {
  readonly route: Route
  readonly request: Buffer
  readonly metadata: Metadata
  /** Epoch ms, or Infinity. */
  readonly deadline: number
  /** Whether it can be sent again when nobody knows if it arrived. */
  readonly isRepeatable: boolean
}

/** How a unary call ended. */
export type UnaryEnd = (error: ServiceError | null, answer: Buffer | undefined, headers: Metadata | undefined) => void

/** Where calls go. */
export interface Upstream {
  /** Calls; `end` is called exactly once, whatever happens. */
  unary(call: OutgoingCall, end: UnaryEnd): { cancel(): void }
  serverStream(call: OutgoingCall): ClientReadableStream<Buffer>
}

const asIs = (bytes: Buffer): Buffer => bytes

/** Calls through a grpc-js client. */
export function grpcUpstream(client: Client): Upstream {
  return {
    unary({ route, request, metadata, deadline }, end) {
      let headers: Metadata | undefined
      const call = client.makeUnaryRequest(
        route.path,
        asIs,
        asIs,
        request,
        metadata,
        optionsOf(deadline),
        (error, answer) => end(error, answer, headers),
      )
      call.once('metadata', (received: Metadata) => {
        headers = received
      })
      return call
    },
    serverStream: ({ route, request, metadata, deadline }) =>
      client.makeServerStreamRequest(route.path, asIs, asIs, request, metadata, optionsOf(deadline)),
  }
}

function optionsOf(deadline: number): { deadline?: number } {
  return deadline === Number.POSITIVE_INFINITY ? {} : { deadline }
}
