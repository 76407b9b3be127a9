import { deepEqual, doesNotMatch, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import {
  address,
  ConfigError,
  duration,
  httpUrl,
  integer,
  list,
  oneOf,
  path,
  postgresUrl,
  readConfig,
  redisUrl,
  resourceId,
  target,
  text,
  type Variable,
} from './config.ts'

test('values are read with their types, defaults stand in for what is unset or empty', () => {
  const spec = {
    listen: address('LISTEN', { default: '127.0.0.1:7101' }),
    size: integer('SIZE', { default: 10, min: 1, max: 99 }),
    wait: duration('WAIT', { default: '10s' }),
    level: oneOf('LEVEL', ['info', 'debug'], { default: 'info' }),
    hosts: list('HOSTS', { default: [] }),
    endpoint: httpUrl('ENDPOINT', { optional: true }),
    folder: path('FOLDER', { default: '.' }),
  }
  const defaults = {
    listen: '127.0.0.1:7101',
    size: 10,
    wait: 10_000,
    level: 'info',
    hosts: [],
    endpoint: undefined,
    folder: '.',
  }
  deepEqual(readConfig(spec, { SIZE: '' }), defaults)
  const env = {
    LISTEN: '[::1]:0',
    SIZE: '99',
    WAIT: '250ms',
    LEVEL: 'debug',
    HOSTS: 'a, b,',
    ENDPOINT: 'http://x',
    FOLDER: '/x',
  }
  const read = {
    listen: '[::1]:0',
    size: 99,
    wait: 250,
    level: 'debug',
    hosts: ['a', 'b'],
    endpoint: 'http://x',
    folder: '/x',
  }
  deepEqual(readConfig(spec, env), read)
})

test('a missing value is one line with the variable and an example', () => {
  throws(() => readConfig({ url: postgresUrl('FLOWFORGE_DATABASE_URL') }, {}), {
    name: 'ConfigError',
    message:
      'FLOWFORGE_DATABASE_URL is not set; example: FLOWFORGE_DATABASE_URL=postgres://user:password@127.0.0.1:5432/flowforge',
  })
})

const refusals: [variable: Variable<unknown>, value: string, reason: string][] = [
  [address('V'), 'localhost', 'be host:port'],
  [address('V'), 'localhost:70000', 'be host:port'],
  [address('V'), 'http://x:1', 'be host:port'],
  [target('V'), 'a:0', 'be host:port'],
  [target('V'), 'ipv4:10.0.0.1:1,10.0.0.2:x', 'be host:port, dns:///host:port or ipv4:'],
  [integer('V', { min: 1, max: 5 }), '6', 'be a whole number from 1 to 5'],
  [integer('V'), '1.5', 'be a whole number'],
  [duration('V', { max: '1m' }), '2m', 'be a duration from 0ms to 1m'],
  [duration('V'), '5', 'be a duration'],
  [oneOf('V', ['a', 'b']), 'c', 'be one of a, b'],
  [postgresUrl('V'), 'mysql://x', 'be a postgres:// URL'],
  [redisUrl('V'), 'redis:6379', 'be a redis:// or rediss:// URL'],
  [resourceId('V'), 'projects/a', 'be 1 to 63 lower-case letters'],
  [httpUrl('V'), 'localhost:4317', 'be an http:// or https:// URL'],
]

test('a value that cannot be read is refused with what it must be and what it was', () => {
  for (const [variable, value, reason] of refusals) {
    throws(
      () => readConfig({ variable }, { V: value }),
      (error: Error) => {
        equal(error instanceof ConfigError, true)
        equal(error.message.startsWith(`V must ${reason}`), true, error.message)
        equal(error.message.includes(`but is '${value}'`), true)
        return true
      },
    )
  }
})

test('a password is never part of the message', () => {
  throws(
    () => readConfig({ url: httpUrl('V') }, { V: 'postgres://user:hunter2@host/db' }),
    (error: Error) => (doesNotMatch(error.message, /hunter2/), true),
  )
  equal(readConfig({ note: text('V') }, { V: 'x' }).note, 'x')
})
