import { deepEqual, equal, throws } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ConfigError, readConfig } from '@flowforge/runtime/config'
import { payloadKeys } from './payload-keys.ts'

const read = (text?: string) => readConfig({ keys: payloadKeys('KEYS') }, text === undefined ? {} : { KEYS: text }).keys
const random = () => randomBytes(32).toString('base64')

test('the first key encrypts, all of them decrypt', () => {
  const keys = read(`new:${random()}, old:${random()}`)
  deepEqual(
    keys?.all.map(({ id }) => id),
    ['new', 'old'],
  )
  equal(keys?.sealing?.id, 'new')
})

test('none in the first place encrypts nothing, and unset is off', () => {
  const keys = read(`none,old:${random()}`)
  deepEqual([keys?.sealing, keys?.all.length], [undefined, 1])
  equal(read(), undefined)
})

test('a wrong value is refused without showing it', () => {
  const secret = random()
  const wrong = [
    secret,
    `a:${secret.slice(4)}`,
    `a:${secret},`,
    `a:${secret},a:${secret}`,
    `a b:${secret}`,
    `a:${secret},none`,
  ]
  for (const text of wrong)
    throws(
      () => read(text),
      (error) => error instanceof ConfigError && !error.message.includes(secret.slice(4, 30)),
      text,
    )
})
