import { equal, match } from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { schemaGaps } from './schema-coverage.ts'

const chart = fileURLToPath(new URL('../flowforge', import.meta.url))

test('every value of the chart has a rule, and no object takes unknown keys', () => {
  equal(schemaGaps(chart), '')
})

test('a value without a rule and an open object are found', (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'flowforge-schema-'))
  t.after(() => rmSync(copy, { recursive: true }))
  for (const file of ['values.yaml', 'values.schema.json']) cpSync(join(chart, file), join(copy, file))
  const schema = JSON.parse(readFileSync(join(copy, 'values.schema.json'), 'utf8'))
  delete schema.properties.tasks.additionalProperties
  delete schema.properties.worker.properties.concurrency
  writeFileSync(join(copy, 'values.schema.json'), JSON.stringify(schema))
  const gaps = schemaGaps(copy)
  match(gaps, /values\.tasks takes unknown keys/)
  match(gaps, /values\.worker\.concurrency has no rule/)
})
