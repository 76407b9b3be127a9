/**
 * Status codes and their details: the only place that knows how an error of ours becomes `google.rpc.Status`.
 *
 * Every error that leaves a process carries `ErrorInfo` with a stable reason. Nothing leaves as UNKNOWN: meshes count
 * that against the instance.
 */
import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { Any } from '@flowforge/proto/google/protobuf/any.ts'
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  ResourceInfo,
  RetryInfo,
} from '@flowforge/proto/google/rpc/error_details.ts'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import type { Logger } from './log.ts'
import { isConflict, isDatabaseDown, isStatementTimeout } from './sqlstate.ts'

const domain = 'flowforge.dev'
const detailsKey = 'grpc-status-details-bin'
const pushbackKey = 'grpc-retry-pushback-ms'
// Details travel in HTTP/2 trailers, which peers bound at 8 or 16 KiB.
const detailsBytesMax = 6_000

const detailTypes = {
  'google.rpc.BadRequest': BadRequest,
  'google.rpc.ErrorInfo': ErrorInfo,
  'google.rpc.PreconditionFailure': PreconditionFailure,
  'google.rpc.ResourceInfo': ResourceInfo,
  'google.rpc.RetryInfo': RetryInfo,
}
type DetailTypes = typeof detailTypes

/** One entry of `google.rpc.Status.details`, decoded. */
export type StatusDetail = {
  [K in keyof DetailTypes]: { type: K; value: ReturnType<DetailTypes[K]['decode']> }
}[keyof DetailTypes]

/** What is wrong with one field of a request. */
export interface FieldViolation {
  field: string
  description: string
}

export interface StatusErrorOptions {
  details?: StatusDetail[]
  cause?: unknown
  /** Facts about the cause that a program may read; becomes `ErrorInfo.metadata`. */
  metadata?: Record<string, string>
}

/** An error that is meant for the caller. `reason` is stable and UPPER_SNAKE_CASE; the message is for people. */
export class StatusError extends Error {
  override name = 'StatusError'
  readonly code: number
  readonly reason: string
  readonly metadata: Record<string, string>
  readonly details: StatusDetail[]

  constructor(code: number, reason: string, message: string, options: StatusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.reason = reason
    this.metadata = options.metadata ?? {}
    this.details = options.details ?? []
  }
}

/** The request breaks a rule that does not depend on state. The message names the first violation. */
export function invalidArgument(violations: FieldViolation | FieldViolation[]): StatusError {
  const all = Array.isArray(violations) ? violations : [violations]
  const fieldViolations = all.map(({ field, description }) => ({
    field,
    description,
    reason: '',
    localizedMessage: undefined,
  }))
  const [first] = all
  const message = first ? `${first.field}: ${first.description}` : 'the request is not valid'
  return new StatusError(status.INVALID_ARGUMENT, 'INVALID_ARGUMENT', message, {
    details: [{ type: 'google.rpc.BadRequest', value: { fieldViolations } }],
  })
}

/** Nothing has this name, or the caller may not know that something has. */
export function notFound(name: string): StatusError {
  return new StatusError(status.NOT_FOUND, 'NOT_FOUND', `${name} was not found`)
}

/** The state that the call would create is there already. */
export function alreadyExists(reason: string, message: string, options?: StatusErrorOptions): StatusError {
  return new StatusError(status.ALREADY_EXISTS, reason, message, options)
}

/** The state forbids the call, and repeating it alone will not help. */
export function failedPrecondition(reason: string, message: string, options?: StatusErrorOptions): StatusError {
  return new StatusError(status.FAILED_PRECONDITION, reason, message, options)
}

/** Somebody else changed the state in between; reading again and repeating may help. */
export function aborted(reason: string, message: string, options?: StatusErrorOptions): StatusError {
  return new StatusError(status.ABORTED, reason, message, options)
}

/** A limit is reached; with `retryAfterMs` the caller learns when to try again. */
export function resourceExhausted(reason: string, message: string, retryAfterMs?: number): StatusError {
  return new StatusError(status.RESOURCE_EXHAUSTED, reason, message, { details: retryInfo(retryAfterMs) })
}

/** Nothing was done; the same call may succeed in a moment. */
export function unavailable(reason: string, message: string, retryAfterMs?: number, cause?: unknown): StatusError {
  return new StatusError(status.UNAVAILABLE, reason, message, { details: retryInfo(retryAfterMs), cause })
}

/** Who calls is not known. */
export function unauthenticated(reason: string, message: string): StatusError {
  return new StatusError(status.UNAUTHENTICATED, reason, message)
}

/** Who calls is known, and may not. */
export function permissionDenied(reason: string, message: string): StatusError {
  return new StatusError(status.PERMISSION_DENIED, reason, message)
}

/** Nobody waits for the answer any more. */
export function cancelled(): StatusError {
  return new StatusError(status.CANCELLED, 'CANCELLED', 'the call was cancelled')
}

/** Tells the caller when to try again, if that is known. */
export function retryInfo(retryAfterMs: number | undefined): StatusDetail[] {
  if (retryAfterMs === undefined) return []
  const ms = Math.max(0, Math.ceil(retryAfterMs))
  const retryDelay = { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 }
  return [{ type: 'google.rpc.RetryInfo', value: { retryDelay } }]
}

/** What grpc-js wants in order to end a call with an error. */
export interface ErrorStatus {
  code: number
  details: string
  metadata: Metadata
}

/**
 * Ends a call: a `StatusError` as it is, a known database error as what it means, anything else as INTERNAL
 * 'internal error', logged whole because the caller learns nothing from it.
 */
export function toServiceError(error: unknown, log: Logger): ErrorStatus {
  const known = asStatusError(error)
  if (!known) log.error({ err: error }, 'a call failed for a reason we do not know')
  else if (known.cause !== undefined) log.warn({ err: known, reason: known.reason }, 'a call was refused')
  const rpcStatus = toRpcStatus(known ?? error)
  const metadata = new Metadata()
  metadata.set(detailsKey, Buffer.from(encodeWithin(rpcStatus, detailsBytesMax)))
  const pushbackMs = known && retryDelayMs(known)
  // For clients that decode no details, and for a mesh that leaves an overloaded instance alone.
  if (pushbackMs !== undefined) metadata.set(pushbackKey, String(pushbackMs))
  return { code: rpcStatus.code, details: rpcStatus.message, metadata }
}

/** An error as `google.rpc.Status`, for batch results and acknowledgements. */
export function toRpcStatus(error: unknown): Status {
  const known = asStatusError(error) ?? new StatusError(status.INTERNAL, 'INTERNAL', 'internal error')
  const info: StatusDetail = {
    type: 'google.rpc.ErrorInfo',
    value: { reason: known.reason, domain, metadata: known.metadata },
  }
  return { code: known.code, message: known.message, details: [info, ...known.details].map(packDetail) }
}

/** The error behind a `google.rpc.Status`, the reverse of `toRpcStatus`. */
export function fromRpcStatus(value: Status, cause?: unknown): StatusError {
  const details = value.details.flatMap(unpackDetail)
  const info = details.find((detail) => detail.type === 'google.rpc.ErrorInfo')?.value
  return new StatusError(value.code, info?.reason ?? codeName(value.code), value.message, {
    details: details.filter((detail) => detail.type !== 'google.rpc.ErrorInfo'),
    metadata: info?.metadata,
    cause,
  })
}

/** The client's side: the error as it was thrown on the server, its details decoded. */
export function fromServiceError(error: ServiceError): StatusError {
  const [bytes] = error.metadata?.get(detailsKey) ?? []
  if (Buffer.isBuffer(bytes)) {
    try {
      return fromRpcStatus({ ...Status.decode(bytes), code: error.code, message: error.details }, error)
    } catch {
      // Details that cannot be read must not hide the status itself.
    }
  }
  return new StatusError(error.code, codeName(error.code), error.details, { cause: error })
}

function retryDelayMs({ details }: StatusError): number | undefined {
  const delay = details.find((detail) => detail.type === 'google.rpc.RetryInfo')?.value.retryDelay
  return delay && Number(delay.seconds) * 1_000 + Math.ceil(delay.nanos / 1e6)
}

/** When the server wants to see the call again, in ms from now: Infinity for never, undefined when it does not say. */
export function pushbackOf({ metadata }: ServiceError): number | undefined {
  const [value] = metadata.get(pushbackKey)
  if (value === undefined) return undefined
  // gRPC's retry design: what is negative or no number means that the call is not to come back.
  return /^\d+$/.test(String(value)) ? Number(value) : Infinity
}

/** Whether the peer that answered has said why: an error of grpc-js or of the connection carries no details. */
export function hasStatusDetails({ metadata }: ServiceError): boolean {
  return metadata.get(detailsKey).length > 0
}

/** An error of ours in the form in which grpc-js would report it, for whoever calls through callbacks. */
export function asServiceError(error: StatusError): ServiceError {
  const metadata = new Metadata()
  metadata.set(detailsKey, Buffer.from(Status.encode(toRpcStatus(error)).finish()))
  return Object.assign(new Error(error.message), { code: error.code, details: error.message, metadata })
}

/** `NOT_FOUND` for 5, and so on. */
export function codeName(code: number): string {
  return status[code] ?? 'UNKNOWN'
}

/** A database error that has a meaning for the caller; undefined for any other. */
export function translateDatabaseError(error: unknown): StatusError | undefined {
  if (isDatabaseDown(error)) return unavailable('DATABASE_UNAVAILABLE', 'the database is not available', 1_000, error)
  if (isConflict(error))
    return new StatusError(status.ABORTED, 'CONFLICT', 'a concurrent change won; try again', { cause: error })
  if (isStatementTimeout(error)) return unavailable('DATABASE_SLOW', 'the database took too long', 1_000, error)
  return undefined
}

function asStatusError(error: unknown): StatusError | undefined {
  return error instanceof StatusError ? error : translateDatabaseError(error)
}

function encodeWithin(value: Status, bytesMax: number): Uint8Array {
  for (let kept = value.details.length; ; kept--) {
    const bytes = Status.encode({
      ...value,
      message: value.message.slice(0, 1_000),
      details: value.details.slice(0, kept),
    }).finish()
    if (bytes.length <= bytesMax || kept === 0) return bytes
  }
}

function packDetail(detail: StatusDetail): Any {
  const type = detailTypes[detail.type] as { encode(value: unknown): { finish(): Uint8Array } }
  return { typeUrl: `type.googleapis.com/${detail.type}`, value: Buffer.from(type.encode(detail.value).finish()) }
}

function unpackDetail(any: Any): StatusDetail[] {
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1)
  // A detail of a newer peer is skipped: the code, reason and message still stand.
  if (!Object.hasOwn(detailTypes, type)) return []
  return [{ type, value: detailTypes[type as keyof DetailTypes].decode(any.value) } as StatusDetail]
}
