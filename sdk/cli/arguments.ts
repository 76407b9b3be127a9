import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import type { JsonObject } from '@flowforge/sdk/client-resources'
import { UsageError } from './exit.ts'

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A span such as `90s`, `1.5h` or `10m` in milliseconds. */
export function span(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Number(digits) * (unitMs[unit] ?? Number.NaN)
  if (digits === '' || Number.isNaN(ms)) throw new InvalidArgumentError('Write it like 30s, 10m, 2h or 1d.')
  return ms
}

/** A whole number. */
export function integer(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** A number of things per second and the like, not negative. */
export function decimal(text: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) throw new InvalidArgumentError('It must be a number such as 2.5.')
  return Number(text)
}

/** Adds `key=number` to the weights named so far. */
export function weight(text: string, weights: Record<string, number> = {}): Record<string, number> {
  const at = text.lastIndexOf('=')
  if (at < 0) throw new InvalidArgumentError('Write it like acme=2.')
  return { ...weights, [text.slice(0, at)]: decimal(text.slice(at + 1)) }
}

/** A choice of the command line as the API names it: `UNIQUE_POLICY` and `replace-pending` are UNIQUE_POLICY_REPLACE_PENDING. */
export function enumName(prefix: string, choice: string): string {
  return `${prefix}_${choice.toUpperCase().replaceAll('-', '_')}`
}

/** Milliseconds as the API writes a duration. */
export function duration(ms: number): string {
  return `${ms / 1_000}s`
}

/** An instant in any form that has a time zone, as RFC 3339. */
export function instant(text: string): string {
  const ms = /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Write it like 2030-01-31T08:00:00Z.')
  return new Date(ms).toISOString()
}

/** Adds `key=value` to the labels named so far. */
export function label(text: string, labels: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write it like customer=acme.')
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) }
}

/** A payload: JSON itself, `@file` that holds it, or `-` for standard input. */
export function payload(text: string): JsonObject {
  const source = text === '-' ? 'standard input' : text.startsWith('@') ? text.slice(1) : 'the payload'
  const value = parse(read(text), source)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${source} must be a JSON object such as {"a": 1}`)
  }
  return value as JsonObject
}

function read(text: string): string {
  if (text !== '-' && !text.startsWith('@')) return text
  try {
    return readFileSync(text === '-' ? 0 : text.slice(1), 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${text.slice(1) || 'standard input'}: ${(error as NodeJS.ErrnoException).code}`)
  }
}

function parse(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${source} is not JSON: ${(error as Error).message}`)
  }
}
