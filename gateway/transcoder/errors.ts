/** gRPC status ⇄ HTTP: the only such table. Bodies follow AIP-193. */
import { status, type Metadata } from '@grpc/grpc-js'

/** The `google.rpc` details of an error, as JSON with `@type`. */
export type ErrorDetail = { readonly '@type': string; readonly [field: string]: unknown }

const httpByCode: Readonly<Record<number, number>> = {
  [status.OK]: 200,
  [status.CANCELLED]: 499,
  [status.UNKNOWN]: 500,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.INTERNAL]: 500,
  [status.UNAVAILABLE]: 503,
  [status.DATA_LOSS]: 500,
  [status.UNAUTHENTICATED]: 401,
}

export interface RpcErrorOptions {
  details?: readonly ErrorDetail[]
  /** Instead of the code's own, where HTTP is more exact: 405, 413, 415. */
  httpStatus?: number
  headers?: Readonly<Record<string, string>>
  /** Stable, UPPER_SNAKE_CASE; the code's own name if undefined. */
  reason?: string
  cause?: unknown
}

const errorInfo = 'type.googleapis.com/google.rpc.ErrorInfo'

/** An error that is meant for the caller. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly details: readonly ErrorDetail[]
  readonly httpStatus: number
  readonly headers: Readonly<Record<string, string>>
  readonly reason: string

  constructor(code: number, message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? []
    this.httpStatus = options.httpStatus ?? httpByCode[code] ?? 500
    this.reason = options.reason ?? status[code] ?? 'UNKNOWN'
    this.headers = { ...retryAfter(code, this.details), ...options.headers }
  }

  /** The same error, with an ErrorInfo of this domain in front unless it has one. */
  withInfo(domain: string): RpcError {
    if (this.details.some((detail) => detail['@type'] === errorInfo)) return this
    const details = [{ '@type': errorInfo, reason: this.reason, domain }, ...this.details]
    const { httpStatus, headers, reason, cause } = this
    return new RpcError(this.code, this.message, { details, httpStatus, headers, reason, cause })
  }

  /** The error as the value of `{"error": …}`. */
  toJSON(): Record<string, unknown> {
    return {
      code: this.httpStatus,
      message: this.message,
      status: status[this.code] ?? 'UNKNOWN',
      details: this.details,
    }
  }
}

/** INVALID_ARGUMENT that names the field. */
export function fieldViolation(field: string, description: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, field === '' ? description : `${field}: ${description}`, {
    details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field, description }] }],
  })
}

/** What an upstream answered, with the details of `grpc-status-details-bin` read by `readStatus`. */
export function fromUpstream(
  error: { code: number; details: string; metadata?: Metadata },
  readStatus: (bytes: Buffer) => string,
  statusByReason: Readonly<Record<string, number>> = {},
): RpcError {
  const bytes = error.metadata?.get('grpc-status-details-bin')[0]
  const details = Buffer.isBuffer(bytes) ? readDetails(bytes, readStatus) : undefined
  const isOurs = details === undefined && error.code in channelMessages
  const reason = details?.find((detail) => detail['@type'] === errorInfo)?.['reason']
  const httpStatus = typeof reason === 'string' ? statusByReason[reason] : undefined
  return new RpcError(error.code, isOurs ? channelMessages[error.code]! : error.details, {
    ...(details && { details }),
    ...(httpStatus !== undefined && { httpStatus }),
    cause: error,
  })
}

// Without details these come from the channel, not from a service, and their text tells addresses of the inside.
const channelMessages: Readonly<Record<number, string>> = {
  [status.CANCELLED]: 'the call was cancelled',
  [status.UNKNOWN]: 'the service failed',
  [status.INTERNAL]: 'the service failed',
  [status.UNAVAILABLE]: 'the service is not available at the moment; try again',
  [status.DEADLINE_EXCEEDED]: 'the service did not answer in time',
}

function readDetails(bytes: Buffer, readStatus: (bytes: Buffer) => string): ErrorDetail[] | undefined {
  try {
    const { details } = JSON.parse(readStatus(bytes)) as { details?: ErrorDetail[] }
    return details ?? []
  } catch {
    // Details that cannot be read must not hide the status that they belong to.
    return undefined
  }
}

function retryAfter(code: number, details: readonly ErrorDetail[]): Record<string, string> {
  const delay = details.find((detail) => detail['@type'].endsWith('/google.rpc.RetryInfo'))?.['retryDelay']
  if (typeof delay === 'string') return { 'retry-after': String(Math.max(1, Math.ceil(Number.parseFloat(delay)))) }
  return code === status.UNAVAILABLE ? { 'retry-after': '1' } : {}
}
