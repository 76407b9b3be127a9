/** Reads a task's payload field by field. What is wrong with it is a permanent failure that names the field. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { status } from '@grpc/grpc-js'
import { PermanentError } from '@flowforge/sdk'

export type Payload = Record<string, unknown>

/** A payload that the handler cannot take; the task becomes DEAD. */
export function payloadInvalid(field: string, expectation: string): PermanentError {
  return new PermanentError(`payload.${field} must be ${expectation}`, {
    reason: 'PAYLOAD_INVALID',
    code: status.INVALID_ARGUMENT,
  })
}

/** A string, or undefined if the field is absent. */
export function optionalText(payload: Payload, field: string): string | undefined {
  const value = payload[field] ?? undefined
  if (value !== undefined && typeof value !== 'string') throw payloadInvalid(field, 'a string')
  return value
}

/** A string that is not empty. */
export function text(payload: Payload, field: string): string {
  const value = optionalText(payload, field)
  if (!value) throw payloadInvalid(field, 'a string that is not empty')
  return value
}

/** A whole number within bounds, or the default if the field is absent. */
export function wholeNumber(
  payload: Payload,
  field: string,
  { min, max, otherwise }: { min: number; max: number; otherwise: number },
): number {
  const value = payload[field] ?? otherwise
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw payloadInvalid(field, `a whole number from ${min} to ${max}`)
  }
  return value as number
}

/** One string or a list of them; none if the field is absent. */
export function texts(payload: Payload, field: string): string[] {
  const value = payload[field] ?? []
  const list = Array.isArray(value) ? value : [value]
  if (!list.every((item) => typeof item === 'string')) throw payloadInvalid(field, 'a string or a list of strings')
  return list
}

// They belong to the connection, or would let one request pass for two.
const forbiddenHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** HTTP headers, their names in lower case. Refuses those that belong to the connection. */
export function headers(payload: Payload, field = 'headers'): Record<string, string> {
  const value = payload[field] ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw payloadInvalid(field, 'an object of strings')
  return Object.fromEntries(Object.entries(value).map(([name, content]) => header(field, name, content)))
}

function header(field: string, name: string, content: unknown): [string, string] {
  const lower = name.toLowerCase()
  if (typeof content !== 'string') throw payloadInvalid(`${field}.${name}`, 'a string')
  if (forbiddenHeaders.has(lower)) throw payloadInvalid(`${field}.${name}`, 'left out: the worker sets it')
  try {
    validateHeaderName(name)
    validateHeaderValue(name, content)
  } catch {
    // Node's message names the header and not the field of the payload.
    throw payloadInvalid(`${field}.${name}`, 'a valid header')
  }
  return [lower, content]
}
