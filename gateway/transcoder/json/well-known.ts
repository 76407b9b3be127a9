/** The well-known types whose JSON is a string: how that string is read and written. */
import { JsonViolation, kindOf } from './violation.ts'

/** Seconds and nanoseconds, as Timestamp and Duration both hold them. */
export interface SecondsAndNanos {
  seconds: number
  nanos: number
}

const timestamp = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/
const secondsMin = -62_135_596_800
const secondsMax = 253_402_300_799

/** Reads RFC 3339, years 1 to 9999. */
export function parseTimestamp(value: unknown): SecondsAndNanos {
  if (typeof value !== 'string') throw new JsonViolation(`expected a timestamp string, got ${kindOf(value)}`)
  const match = timestamp.exec(value)
  if (match === null) throw new JsonViolation('expected a timestamp such as "2027-01-31T12:00:00Z"')
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const isReal = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (
    !isReal ||
    Number(hour) > 23 ||
    Number(minute) > 59 ||
    Number(second) > 59 ||
    Number(offsetHour ?? 0) > 23 ||
    Number(offsetMinute ?? 0) > 59
  ) {
    throw new JsonViolation('the timestamp names a time that does not exist')
  }
  let seconds = date.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  if (sign !== undefined) seconds -= (sign === '-' ? -1 : 1) * (Number(offsetHour) * 3600 + Number(offsetMinute) * 60)
  if (seconds < secondsMin || seconds > secondsMax)
    throw new JsonViolation('the timestamp is outside the years 1 to 9999')
  return { seconds, nanos: fraction === undefined ? 0 : Number(fraction.padEnd(9, '0')) }
}

/** The canonical text, with 0, 3, 6 or 9 digits of fraction. */
export function timestampText({ seconds, nanos }: SecondsAndNanos): string {
  if (seconds < secondsMin || seconds > secondsMax || nanos < 0 || nanos > 999_999_999) {
    throw new RangeError('a timestamp is outside the years 1 to 9999')
  }
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fractionText(nanos)}Z`
}

const duration = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/
const durationSecondsMax = 315_576_000_000

/** Reads `1.5s`; seconds and nanos carry the same sign. */
export function parseDuration(value: unknown): SecondsAndNanos {
  if (typeof value !== 'string') throw new JsonViolation(`expected a duration string, got ${kindOf(value)}`)
  const match = duration.exec(value)
  if (match === null) throw new JsonViolation('expected a duration in seconds such as "1.5s"')
  const sign = match[1] === '-' ? -1 : 1
  const seconds = sign * Number(match[2])
  const nanos = match[3] === undefined ? 0 : sign * Number(match[3].padEnd(9, '0'))
  if (Math.abs(seconds) > durationSecondsMax) throw new JsonViolation('the duration is longer than 10,000 years')
  return { seconds, nanos }
}

/** The canonical text. */
export function durationText({ seconds, nanos }: SecondsAndNanos): string {
  if (Math.abs(seconds) > durationSecondsMax || Math.abs(nanos) > 999_999_999 || seconds * nanos < 0) {
    throw new RangeError('a duration is out of range')
  }
  return `${seconds < 0 || nanos < 0 ? '-' : ''}${Math.abs(seconds)}${fractionText(Math.abs(nanos))}s`
}

function fractionText(nanos: number): string {
  if (nanos === 0) return ''
  const digits = String(nanos).padStart(9, '0')
  if (digits.endsWith('000000')) return `.${digits.slice(0, 3)}`
  return `.${digits.endsWith('000') ? digits.slice(0, 6) : digits}`
}

/** Reads `displayName,retryPolicy.maxAttempts` into field paths with the names of the contract. */
export function parseFieldMask(value: unknown): string[] {
  if (typeof value !== 'string') throw new JsonViolation(`expected a field mask string, got ${kindOf(value)}`)
  if (value === '') return []
  return value.split(',').map((path) => {
    if (!/^[A-Za-z0-9.]+$/.test(path)) throw new JsonViolation('expected a field mask such as "displayName,labels"')
    return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  })
}

/** The canonical text of field paths. */
export function fieldMaskText(paths: readonly string[]): string {
  return paths.map(camelPath).join(',')
}

/** `update_mask.display_name` as `updateMask.displayName`; refuses what would not read back as the same. */
function camelPath(path: string): string {
  const camel = path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  if (/_/.test(camel) || /[A-Z]/.test(path)) throw new RangeError(`the field path ${path} has no JSON form`)
  return camel
}
