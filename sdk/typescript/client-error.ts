import { Code } from '@flowforge/proto/google/rpc/code.ts'
import type { JsonObject, JsonValue, StatusResource } from './client-resources.ts'

/** The name of a google.rpc.Code, such as `NOT_FOUND`. */
export type StatusName = Exclude<keyof typeof Code, 'OK' | 'UNRECOGNIZED'>

const nameOfCode = new Map(Object.entries(Code).map(([name, code]) => [code as number, name as StatusName]))

/** What is known of a refusal or failure beside its status and message. */
export interface FlowForgeErrorOptions {
  httpStatus?: number
  details?: JsonObject[]
  retryAfterMs?: number
  cause?: unknown
}

/**
 * A call that FlowForge refused, or that did not reach it.
 *
 * `status` says what kind of failure it is and `reason` which one; both are stable, the message is not.
 * A server that cannot be reached is `UNAVAILABLE` without `httpStatus`.
 */
export class FlowForgeError extends Error {
  override readonly name = 'FlowForgeError'
  readonly status: StatusName
  readonly httpStatus?: number
  readonly reason?: string
  readonly details: JsonObject[]
  /** After which time the server asks to try again. */
  readonly retryAfterMs?: number

  constructor(status: StatusName, message: string, options: FlowForgeErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.status = status
    this.httpStatus = options.httpStatus
    this.details = options.details ?? []
    this.reason = text(this.detail('google.rpc.ErrorInfo')?.reason)
    this.retryAfterMs = options.retryAfterMs ?? durationMs(this.detail('google.rpc.RetryInfo')?.retryDelay)
  }

  /** The first detail of this message type, such as `google.rpc.BadRequest`. */
  detail(type: string): JsonObject | undefined {
    return this.details.find((detail) => text(detail['@type'])?.endsWith(`/${type}`))
  }
}

/** The error that a google.rpc.Status tells; gRPC codes, as in the result of a batch. */
export function errorOfStatus(status: StatusResource, options: FlowForgeErrorOptions = {}): FlowForgeError {
  const name = nameOfCode.get(status.code ?? Code.UNKNOWN) ?? 'UNKNOWN'
  return new FlowForgeError(name, status.message ?? name, { details: status.details, ...options })
}

/**
 * The error of an HTTP answer: AIP-193 (`{"error": {"status", "message", "details"}}`) if the gateway wrote it,
 * else what the HTTP status alone says, for answers of a proxy in between.
 */
export function errorOfAnswer(httpStatus: number, retryAfter: string | null, body: JsonValue): FlowForgeError {
  const options = {
    httpStatus,
    retryAfterMs: retryAfter === null ? undefined : Number(retryAfter) * 1_000 || undefined,
  }
  const error = isObject(body) ? body.error : undefined
  if (!isObject(error)) return new FlowForgeError(statusOfHttp(httpStatus), `HTTP status ${httpStatus}`, options)
  const status = text(error.status) as StatusName | undefined
  const details = Array.isArray(error.details) ? error.details.filter(isObject) : []
  return new FlowForgeError(status ?? statusOfHttp(httpStatus), text(error.message) ?? `HTTP status ${httpStatus}`, {
    ...options,
    details,
  })
}

function statusOfHttp(httpStatus: number): StatusName {
  const known: Record<number, StatusName> = {
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    409: 'ABORTED',
    413: 'RESOURCE_EXHAUSTED',
    429: 'RESOURCE_EXHAUSTED',
    499: 'CANCELLED',
    501: 'UNIMPLEMENTED',
    502: 'UNAVAILABLE',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
  }
  return known[httpStatus] ?? (httpStatus >= 400 && httpStatus < 500 ? 'INVALID_ARGUMENT' : 'UNKNOWN')
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Milliseconds of a proto3 JSON duration such as `"1.5s"`. */
function durationMs(value: JsonValue | undefined): number | undefined {
  const seconds = Number.parseFloat(text(value) ?? '')
  return Number.isNaN(seconds) ? undefined : seconds * 1_000
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
