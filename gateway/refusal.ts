import { status } from '@grpc/grpc-js'
import { codeName } from '@flowforge/runtime/status'
import { RpcError, type ErrorDetail } from './transcoder/transcoder.ts'

/** The domain of every ErrorInfo of ours. */
export const errorDomain = 'flowforge.dev'

export interface RefusalOptions {
  /** Besides the ErrorInfo that every refusal has. */
  details?: ErrorDetail[]
  headers?: Record<string, string>
  cause?: unknown
}

/** An error of the gateway's own, with the ErrorInfo that all our errors carry; `reason` is stable and UPPER_SNAKE_CASE. */
export function refusal(code: number, reason: string, message: string, options: RefusalOptions = {}): RpcError {
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: errorDomain }
  const { headers, cause, details = [] } = options
  return new RpcError(code, message, { details: [info, ...details], ...(headers && { headers }), cause })
}

/** Any error as one for the caller; what nobody meant for the caller becomes INTERNAL, with its cause kept for the log. */
export function asRefusal(error: { code?: number; reason?: string; message: string }): RpcError {
  const { code, reason } = error
  if (error instanceof RpcError) return error
  if (code === undefined || reason === undefined)
    return refusal(status.INTERNAL, 'INTERNAL', 'internal error', { cause: error })
  const isOurs = code === status.INTERNAL || code === status.UNKNOWN || reason === codeName(code)
  return refusal(code, reason, isOurs ? 'the service is not available at the moment; try again' : error.message, {
    cause: error,
  })
}
