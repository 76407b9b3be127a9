import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import {
  codeName,
  fromServiceError,
  invalidArgument,
  notFound,
  resourceExhausted,
  StatusError,
  toRpcStatus,
  toServiceError,
} from './status.ts'
import { quietLog, recordingLog } from './testing/log.ts'

function roundTrip(error: unknown): StatusError {
  const told = toServiceError(error, quietLog)
  return fromServiceError(Object.assign(new Error('x'), told) as ServiceError)
}

test('every code but OK and UNKNOWN survives the way to the client with reason, message and metadata', () => {
  for (let code = 1; code <= 16; code++) {
    if (code === status.UNKNOWN) continue
    const back = roundTrip(new StatusError(code, 'SOME_REASON', 'some “message”', { metadata: { a: 'b' } }))
    deepEqual(
      [back.code, back.reason, back.message, back.metadata],
      [code, 'SOME_REASON', 'some “message”', { a: 'b' }],
    )
  }
})

test('a limit tells when to try again', () => {
  const [detail] = roundTrip(resourceExhausted('RATE_LIMIT', 'too fast', 1_250)).details
  ok(detail?.type === 'google.rpc.RetryInfo')
  deepEqual(detail.value.retryDelay, { seconds: 1n, nanos: 250_000_000 })
})

test('PostgreSQL’s own errors mean something to the caller', () => {
  const cases: [error: object, code: number, reason: string][] = [
    [{ severity: 'FATAL', code: '57P01' }, status.UNAVAILABLE, 'DATABASE_UNAVAILABLE'],
    [{ severity: 'FATAL', code: '53300' }, status.UNAVAILABLE, 'DATABASE_UNAVAILABLE'],
    [{ severity: 'ERROR', code: '53100' }, status.UNAVAILABLE, 'DATABASE_UNAVAILABLE'],
    [{ severity: 'ERROR', code: '40001' }, status.ABORTED, 'CONFLICT'],
    [{ severity: 'ERROR', code: '57014' }, status.UNAVAILABLE, 'DATABASE_SLOW'],
    [{ code: 'ECONNREFUSED', syscall: 'connect' }, status.UNAVAILABLE, 'DATABASE_UNAVAILABLE'],
    [{ severity: 'ERROR', code: '42P01' }, status.INTERNAL, 'INTERNAL'],
    [{ code: 'ENOENT', syscall: 'open' }, status.INTERNAL, 'INTERNAL'],
  ]
  for (const [fields, code, reason] of cases) {
    const { code: got, reason: gotReason } = roundTrip(Object.assign(new Error('relation "secret" …'), fields))
    deepEqual([got, gotReason], [code, reason], JSON.stringify(fields))
  }
})

test('details that a peer’s trailers could not hold are left out, the reason stays', () => {
  const violations = Array.from({ length: 500 }, (_, n) => ({ field: `tasks[${n}].type`, description: 'is empty' }))
  const { metadata } = toServiceError(invalidArgument(violations), quietLog)
  const [bytes] = metadata.get('grpc-status-details-bin') as Buffer[]
  ok(bytes!.length < 8_000)
  equal(roundTrip(invalidArgument(violations)).reason, 'INVALID_ARGUMENT')
})

test('an error from a server that sends no details still has a code and a message', () => {
  const metadata = new Metadata()
  const error = Object.assign(new Error('14'), { code: status.UNAVAILABLE, details: 'no connection', metadata })
  const { code, reason, message } = fromServiceError(error)
  deepEqual([code, reason, message], [status.UNAVAILABLE, 'UNAVAILABLE', 'no connection'])
  metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff]))
  equal(fromServiceError(error).message, 'no connection')
})

test('an item of a batch carries the same status as a call would', () => {
  const value = Status.decode(Status.encode(toRpcStatus(notFound('projects/p/tasks/t'))).finish())
  deepEqual(
    [codeName(value.code), value.message, value.details.length],
    ['NOT_FOUND', 'projects/p/tasks/t was not found', 1],
  )
})

test('an unknown error is logged once with its cause', () => {
  const { log, lines } = recordingLog()
  toServiceError(new Error('outer', { cause: new Error('inner') }), log)
  equal(lines.length, 1)
  ok(JSON.stringify(lines[0]).includes('inner'))
})
