import { deepEqual, equal, notDeepEqual, ok, throws } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { Sealer, unsealed, type MasterKey, type SealedField } from './seal.ts'

const key = (id: string): MasterKey => ({ id, key: randomBytes(32) })
const a = key('a')
const b = key('b')
const task = { project: 'p', id: '00000000-0000-7000-8000-000000000001' }
const value = Buffer.from('0a05 0a01 61 1200'.replaceAll(' ', ''), 'hex')
const reason = (wanted: string) => (error: unknown) => (error as { reason: string }).reason === wanted

const sealing = (...all: MasterKey[]) => new Sealer({ sealing: all[0], all })

test('whatever is sealed opens as it was', () => {
  const sealer = sealing(a)
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 1000 }),
      fc.constantFrom<SealedField>('payload', 'progress', 'result'),
      (bytes, field) => {
        const sealed = sealer.seal(field, task, bytes)
        equal(sealed[0], 0)
        ok(bytes.length < 8 || !Buffer.from(sealed).includes(Buffer.from(bytes)))
        deepEqual(Buffer.from(sealer.open(field, task, sealed)), Buffer.from(bytes))
      },
    ),
  )
})

test('equal values are sealed differently', () => {
  const sealer = sealing(a)
  notDeepEqual(sealer.seal('payload', task, value), sealer.seal('payload', task, value))
})

test('a value opens only as the same field of the same task', () => {
  const sealer = sealing(a)
  const sealed = sealer.seal('payload', task, value)
  const others = [
    () => sealer.open('result', task, sealed),
    () => sealer.open('payload', { ...task, project: 'q' }, sealed),
    () => sealer.open('payload', { ...task, id: task.id.replace('1', '2') }, sealed),
  ]
  for (const open of others) throws(open, reason('PAYLOAD_DAMAGED'))
})

test('a value with any bit changed does not open', () => {
  const sealer = sealing(a)
  const sealed = Buffer.from(sealer.seal('payload', task, value))
  for (let bit = 8; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    throws(() => sealer.open('payload', task, changed), /encrypted/, `bit ${bit}`)
  }
  for (let length = 1; length < sealed.length; length++)
    throws(() => sealer.open('payload', task, sealed.subarray(0, length)), /encrypted/, `${length} bytes`)
})

test('every key opens what it sealed, also another process with another order of keys', () => {
  const sealed = sealing(a).seal('payload', task, value)
  deepEqual(sealing(b, a).open('payload', task, sealed), value)
  deepEqual(new Sealer({ sealing: undefined, all: [a] }).open('payload', task, sealed), value)
})

test('a missing key is named, and one of the same name with other bytes is not mistaken for it', () => {
  const sealed = sealing(a).seal('payload', task, value)
  throws(() => unsealed.open('payload', task, sealed), { reason: 'PAYLOAD_KEY_MISSING', metadata: { key: 'a' } })
  throws(() => sealing(b).open('payload', task, sealed), { reason: 'PAYLOAD_KEY_MISSING' })
  throws(() => sealing(key('a')).open('payload', task, sealed), { reason: 'PAYLOAD_DAMAGED' })
})

test('what was never sealed reads as it is, and null is null', () => {
  equal(sealing(a).open('payload', task, value), value)
  equal(sealing(a).open('payload', task, null), null)
  equal(sealing(a).seal('payload', task, null), null)
  equal(unsealed.seal('payload', task, value), value)
})

test('a fingerprint is told from another under any key that is there, and tells nothing without it', () => {
  const digest = createHash('sha256').update('wanted').digest()
  const other = createHash('sha256').update('other').digest()
  const stored = sealing(a).fingerprint(digest)
  ok(!stored.includes(digest))
  const rotated = sealing(b, a)
  deepEqual([rotated.isFingerprintOf(stored, digest), rotated.isFingerprintOf(stored, other)], [true, false])
  ok(rotated.isFingerprintOf(unsealed.fingerprint(digest), digest))
  throws(() => sealing(b).isFingerprintOf(stored, digest), { reason: 'PAYLOAD_KEY_MISSING' })
})
