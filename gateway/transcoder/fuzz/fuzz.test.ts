import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import { exampleDescriptors } from '../testing/example.ts'
import { fuzz } from './fuzz.ts'

const inputCount = 20_000

test(`${inputCount} spoiled requests and answers are refused or taken, each within 50 ms`, () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const { accepted, slowestMs, slowest } = fuzz(exampleDescriptors(), inputCount, seed)
  ok(slowestMs < 50, `seed ${seed}: ${slowestMs} ms for ${slowest}`)
  ok(accepted > inputCount / 100, `seed ${seed}: only ${accepted} were taken, so little was tried behind the parsers`)
})
