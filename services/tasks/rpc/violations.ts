/** Collects what is wrong with a request, so that the caller learns all of it at once. */
import type { Duration } from '@flowforge/proto/opaque/google/protobuf/duration.ts'
import { invalidArgument, type FieldViolation } from '@flowforge/runtime/status'
import { structFault } from './check-struct.ts'

export class Violations {
  readonly #found: FieldViolation[] = []
  readonly #at: string

  /** @param at What the fields' paths begin with, such as `requests[3].`. */
  constructor(at = '') {
    this.#at = at
  }

  add(field: string, description: string): void {
    this.#found.push({ field: this.#at + field, description })
  }

  check(isRight: boolean, field: string, description: string): void {
    if (!isRight) this.add(field, description)
  }

  /** Throws INVALID_ARGUMENT if anything was wrong. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw invalidArgument(this.#found)
  }

  /** Text for the database: bounded, and without the NUL that it cannot store. Empty reads as null. */
  text(field: string, value: string, lengthMax: number): string | null {
    if (value === '') return null
    if (value.length > lengthMax) this.add(field, `is longer than ${lengthMax} characters`)
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(value)) this.add(field, 'has control characters')
    return value
  }

  /** A duration in milliseconds; null if it is unset. */
  duration(field: string, value: Duration | undefined, minMs: number, maxMs: number): number | null {
    if (!value) return null
    const ms = Number(value.seconds) * 1000 + Math.round(value.nanos / 1e6)
    if (!(ms >= minMs && ms <= maxMs)) this.add(field, `must be between ${minMs / 1000} s and ${maxMs / 1000} s`)
    return ms
  }

  /** An instant; null if it is unset. */
  time(field: string, value: Date | undefined): Date | null {
    if (!value) return null
    if (!(value.getTime() >= 0 && value.getUTCFullYear() <= 9999))
      this.add(field, 'must be between the years 1970 and 9999')
    return value
  }

  /** An encoded google.protobuf.Struct; null if it is unset. */
  struct(field: string, value: Uint8Array | undefined, bytesMax: number): Uint8Array | null {
    if (!value) return null
    if (value.length > bytesMax) this.add(field, `has ${value.length} bytes encoded; at most ${bytesMax} are allowed`)
    const fault = structFault(value)
    if (fault) this.add(field, fault)
    return value
  }
}
