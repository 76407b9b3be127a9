/**
 * When a cron line fires. The grammar is croner's: five or six fields, `@hourly` and the like, `L`, `W` and `#`.
 *
 * When clocks change, a line with a fixed hour fires once: in a doubled hour the first time round, and for a skipped
 * time as much later as was skipped. A line that repeats over the hours (`*` or a step of it) goes on evenly instead,
 * through both rounds of a doubled hour.
 */
import { Cron } from 'croner'

const minuteMs = 60_000
const dayMs = 86_400_000
/** More than any clock change. */
const nearMs = 180 * minuteMs
const probeMax = 400

/**
 * The first time after `after` at which the line fires in the time zone; undefined if there is none.
 * Throws an Error that says what is wrong with the line or the zone.
 */
export function nextFireTime(cron: string, timeZone: string, after: Date): Date | undefined {
  return isHourly(cron) ? nextEven(cron, timeZone, after) : nextOnce(cron, timeZone, after)
}

/** The times from `start`, inclusive, until `end`, exclusive; no more than the first `max`. */
export function fireTimes(cron: string, timeZone: string, start: Date, end: Date, max: number): Date[] {
  const times: Date[] = []
  let after = new Date(start.getTime() - 1)
  while (times.length < max) {
    const time = nextFireTime(cron, timeZone, after)
    if (!time || time >= end) break
    times.push(time)
    after = time
  }
  return times
}

/** The last `max` of the times from `start` until `end`, both inclusive, without going through all the others. */
export function lastFireTimes(cron: string, timeZone: string, start: Date, end: Date, max: number): Date[] {
  const until = new Date(end.getTime() + 1)
  const wholeMs = Math.max(0, end.getTime() - start.getTime())
  // A window before `end` that has at least `max` times, but few enough to list: doubled until it has, halved if too many.
  let tooSmallMs = 0
  let tooLargeMs = Infinity
  let windowMs = Math.min(wholeMs, minuteMs)
  for (;;) {
    const times = fireTimes(cron, timeZone, new Date(end.getTime() - windowMs), until, max + probeMax)
    if (times.length === max + probeMax) tooLargeMs = windowMs
    else if (times.length >= max || windowMs === wholeMs) return times.slice(-max)
    else tooSmallMs = windowMs
    windowMs = Math.min(wholeMs, tooLargeMs === Infinity ? windowMs * 2 : (tooSmallMs + tooLargeMs) / 2)
  }
}

function isHourly(cron: string): boolean {
  const fields = cron.trim().split(/\s+/)
  return fields[0] === '@hourly' || (fields.length >= 5 && fields.at(fields.length === 5 ? 1 : 2)!.startsWith('*'))
}

function nextOnce(cron: string, timeZone: string, after: Date): Date | undefined {
  // Far from clock changes, which is nearly always, a zone is a fixed offset; croner is five times as fast with that.
  const before = new Date(after.getTime() - nearMs)
  const plain = nextAtOffset(cron, offsetOf(timeZone, before), after)
  if (plain && !nextChange(timeZone, before, new Date(plain.getTime() + nearMs))) return plain
  const line = new Cron(cron, { timezone: timeZone, paused: true })
  // In the second round of a doubled hour croner answers with times of the first; they are over.
  for (let from = after; ; from = new Date(from.getTime() + 15 * minuteMs)) {
    const time = line.nextRun(from)
    if (!time) return undefined
    if (time > after) return time
  }
}

/** Between two clock changes a zone is a fixed offset, and in that nothing is skipped or doubled. */
function nextEven(cron: string, timeZone: string, after: Date): Date | undefined {
  for (let from = after; ;) {
    const time = nextAtOffset(cron, offsetOf(timeZone, from), from)
    if (!time) return undefined
    const change = nextChange(timeZone, from, time)
    if (!change) return time
    const later = nextAtOffset(cron, offsetOf(timeZone, change), new Date(change.getTime() - 1))
    if (!later) return undefined
    if (!nextChange(timeZone, change, later)) return later
    from = change
  }
}

function nextAtOffset(cron: string, utcOffset: number, after: Date): Date | undefined {
  // Paused: only asked, never run by a timer of its own.
  return new Cron(cron, { utcOffset, paused: true }).nextRun(after) ?? undefined
}

/** The first instant after `from` and up to `until` at which the zone's offset differs. */
function nextChange(timeZone: string, from: Date, until: Date): Date | undefined {
  const offset = offsetOf(timeZone, from)
  let before = from.getTime()
  let at = before
  do {
    before = at
    at = Math.min(at + dayMs, until.getTime())
    if (at === before) return undefined
  } while (offsetOf(timeZone, new Date(at)) === offset)
  while (at - before > 1) {
    const middle = Math.floor((before + at) / 2)
    if (offsetOf(timeZone, new Date(middle)) === offset) before = middle
    else at = middle
  }
  return new Date(at)
}

/** Minutes that the zone is ahead of UTC. */
function offsetOf(timeZone: string, at: Date): number {
  let format = formats.get(timeZone)
  if (!format) {
    format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
    if (formats.size >= 1000) formats.clear()
    formats.set(timeZone, format)
  }
  const name = format.formatToParts(at).find((part) => part.type === 'timeZoneName')!.value
  const [, sign, hours, minutes] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name)!
  return sign ? (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) : 0
}

const formats = new Map<string, Intl.DateTimeFormat>()
