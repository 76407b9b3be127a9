import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fireTimes, lastFireTimes, nextFireTime } from './cron.ts'

const zone = 'Europe/Berlin'

function times(cron: string, start: string, end: string): string[] {
  return fireTimes(cron, zone, new Date(start), new Date(end), 100).map((time) => time.toISOString().slice(5, 16))
}

describe('the night on which an hour is skipped (2026-03-29, 02:00 becomes 03:00)', () => {
  const night = ['2026-03-28T23:30:00Z', '2026-03-29T02:30:00Z'] as const

  test('a skipped time fires as much later as was skipped, once', () => {
    deepEqual(times('30 2 * * *', ...night), ['03-29T01:30'])
    deepEqual(times('30 2,3 * * *', ...night), ['03-29T01:30'])
  })

  test('an hourly line goes on every hour', () => {
    deepEqual(times('0 * * * *', ...night), ['03-29T00:00', '03-29T01:00', '03-29T02:00'])
    deepEqual(times('@hourly', ...night), ['03-29T00:00', '03-29T01:00', '03-29T02:00'])
  })

  test('a line for every half hour goes on every half hour', () => {
    deepEqual(times('*/30 * * * *', '2026-03-29T00:30:00Z', night[1]), [
      '03-29T00:30',
      '03-29T01:00',
      '03-29T01:30',
      '03-29T02:00',
    ])
  })
})

describe('the night on which an hour is doubled (2026-10-25, 03:00 becomes 02:00)', () => {
  const night = ['2026-10-24T23:30:00Z', '2026-10-25T02:30:00Z'] as const

  test('a doubled time fires once, the first time round', () => {
    deepEqual(times('30 2 * * *', ...night), ['10-25T00:30'])
    deepEqual(times('15,45 2 * * *', ...night), ['10-25T00:15', '10-25T00:45'])
  })

  test('an hourly line fires in both rounds', () => {
    deepEqual(times('0 * * * *', ...night), ['10-25T00:00', '10-25T01:00', '10-25T02:00'])
    deepEqual(times('0 */2 * * *', ...night), ['10-25T00:00', '10-25T01:00'])
  })

  test('the next time is never in the past, whenever it is asked for', () => {
    for (const cron of ['30 2 * * *', '15,45 2 * * *', '0 * * * *', '*/30 * * * *', '0 */15 2 * * *'])
      for (let at = Date.parse(night[0]); at < Date.parse(night[1]); at += 7 * 60_000)
        ok(nextFireTime(cron, zone, new Date(at))! > new Date(at), `${cron} at ${new Date(at).toISOString()}`)
  })
})

test('a line with wildcard hours finds its day across clock changes', () => {
  equal(nextFireTime('0 * 1 7 *', zone, new Date('2026-01-01T00:00:00Z'))!.toISOString(), '2026-06-30T22:00:00.000Z')
  equal(nextFireTime('0 * 1 1 *', zone, new Date('2026-02-01T00:00:00Z'))!.toISOString(), '2026-12-31T23:00:00.000Z')
})

test('zones with odd offsets are right', () => {
  const next = (timeZone: string) =>
    nextFireTime('0 * * * *', timeZone, new Date('2026-05-05T05:05:00Z'))!.toISOString()
  equal(next('Asia/Kathmandu'), '2026-05-05T05:15:00.000Z')
  equal(next('America/St_Johns'), '2026-05-05T05:30:00.000Z')
  equal(next('UTC'), '2026-05-05T06:00:00.000Z')
})

describe('the last times of a stretch', () => {
  const last = (cron: string, start: string, max: number) =>
    lastFireTimes(cron, 'UTC', new Date(start), new Date('2026-06-01T12:00:00Z'), max).map((time) => time.toISOString())

  test('are found without going through a year of seconds', () => {
    deepEqual(last('* * * * * *', '2025-06-01T00:00:00Z', 3), [
      '2026-06-01T11:59:58.000Z',
      '2026-06-01T11:59:59.000Z',
      '2026-06-01T12:00:00.000Z',
    ])
  })

  test('are found where many lie close together long ago', () => {
    deepEqual(last('* * * 1 1 *', '2020-01-01T00:00:00Z', 2), ['2026-01-01T23:59:58.000Z', '2026-01-01T23:59:59.000Z'])
  })

  test('are fewer if there are fewer', () => {
    deepEqual(last('0 12 * * *', '2026-05-31T12:00:00Z', 100), ['2026-05-31T12:00:00.000Z', '2026-06-01T12:00:00.000Z'])
    deepEqual(last('0 13 * * *', '2026-06-01T00:00:00Z', 100), [])
  })
})

test('what is no cron line says why, and what never fires has no next time', () => {
  throws(() => nextFireTime('61 * * * *', 'UTC', new Date()), /minute/)
  equal(nextFireTime('0 0 30 2 *', 'UTC', new Date()), undefined)
})
