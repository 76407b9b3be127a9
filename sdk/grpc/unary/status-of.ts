/** Which gRPC status an end without one means (gRPC's PROTOCOL-HTTP2 and http-grpc-status-mapping). */
import { status } from '@grpc/grpc-js'
import { errorCode } from '../http2/frames.ts'

/** Of a stream that was reset with an HTTP/2 error code. */
export function statusOfReset(code: number): number {
  switch (code) {
    case errorCode.refusedStream:
      return status.UNAVAILABLE
    case errorCode.cancel:
      return status.CANCELLED
    case errorCode.enhanceYourCalm:
      return status.RESOURCE_EXHAUSTED
    case errorCode.inadequateSecurity:
      return status.PERMISSION_DENIED
    default:
      return status.INTERNAL
  }
}

/** Of an answer that is HTTP but not gRPC, such as a proxy's own. */
export function statusOfHttp(code: number): number {
  switch (code) {
    case 400:
      return status.INTERNAL
    case 401:
      return status.UNAUTHENTICATED
    case 403:
      return status.PERMISSION_DENIED
    case 404:
      return status.UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return status.UNAVAILABLE
    default:
      return status.UNKNOWN
  }
}
