import { deepEqual, equal, match } from 'node:assert/strict'
import { mkdtempSync, appendFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DEAD, Outcome, READY, RUNNING, SUCCEEDED } from '../../engine/states.ts'
import { checkHistories } from './check.ts'
import { HistoryFile, readHistories, type Told } from './events.ts'
import type { Stored } from './stored.ts'

const task = 'projects/p/tasks/t'
const first = { task, attempt: 1, session: '7' }
const second = { task, attempt: 2, session: '8' }

/** A run in which attempt 1 was lost and attempt 2 succeeded. */
const told: Told[] = [
  { kind: 'created', task },
  { kind: 'leased', ...first },
  { kind: 'leased', ...second },
  { kind: 'outcome', ...first, outcome: 'succeeded', verdict: 'refused' },
  { kind: 'outcome', ...second, outcome: 'succeeded', verdict: 'accepted' },
]
const lostAttempt = { number: 1, worker: 'w', start: 0, finish: 1, outcome: Outcome.lost }
const stored: Stored = { task, half: 'cold', state: SUCCEEDED, attempt: 2, session: '8', attempts: [lostAttempt] }

test('a run in which every promise was kept has no violations', () => {
  deepEqual(checkHistories(told, [stored], { isComplete: true }), [])
})

test('what nobody answered may have happened or not', () => {
  const unknown: Told[] = [
    ...told.slice(0, 4),
    { kind: 'outcome', ...second, outcome: 'succeeded', verdict: 'unknown' },
  ]
  deepEqual(checkHistories(unknown, [stored], { isComplete: true }), [])
  const running: Stored = { ...stored, half: 'hot', state: RUNNING }
  deepEqual(checkHistories(unknown, [running], { isComplete: true }), [])
  const gone: Told[] = [
    { kind: 'created', task },
    { kind: 'deleted', task, verdict: 'unknown' },
  ]
  deepEqual(checkHistories(gone, [], { isComplete: true }), [])
})

test('a repeat that is answered alike is no second finish', () => {
  deepEqual(checkHistories([...told, told.at(-1)!], [stored], { isComplete: true }), [])
})

const planted: { name: string; told: Told[]; stored: Stored[]; finds: RegExp }[] = [
  {
    name: 'an acknowledged task is gone',
    told: [told[0]!],
    stored: [],
    finds: /creation was acknowledged, and it is lost/,
  },
  { name: 'a leased task is gone', told: [told[1]!], stored: [], finds: /lease was acknowledged, and it is lost/ },
  {
    name: 'a task is in both halves',
    told,
    stored: [stored, { ...stored, half: 'hot' }],
    finds: /is stored 2 times \(cold, hot\)/,
  },
  {
    name: 'a deleted task is there',
    told: [...told, { kind: 'deleted', task, verdict: 'accepted' }],
    stored: [stored],
    finds: /deletion was acknowledged/,
  },
  {
    name: 'an attempt went to two sessions',
    told: [...told, { kind: 'leased', ...second, session: '9' }],
    stored: [stored],
    finds: /leased twice/,
  },
  {
    name: 'the database forgot an attempt',
    told: [told[0]!, told[1]!, told[2]!],
    stored: [{ ...stored, half: 'hot', state: READY, attempt: 1 }],
    finds: /knows of 1 attempts only/,
  },
  {
    name: 'a task finished twice',
    told: [...told, { kind: 'outcome', ...first, outcome: 'succeeded', verdict: 'accepted' }],
    stored: [stored],
    finds: /finished 2 times: attempt 2 of session 8 and attempt 1 of session 7/,
  },
  {
    name: 'an outcome was acknowledged for a lease that was lost',
    told: [...told, { kind: 'outcome', ...first, outcome: 'failed', verdict: 'accepted' }],
    stored: [stored],
    finds: /acknowledged as failed, and the database says lost/,
  },
  {
    name: 'an acknowledged success is not stored',
    told,
    stored: [{ ...stored, half: 'hot', state: RUNNING }],
    finds: /acknowledged as succeeded, and the database says nothing of it/,
  },
  {
    name: 'the success is that of another session',
    told,
    stored: [{ ...stored, session: '9' }],
    finds: /acknowledged as succeeded, and the database says nothing of it/,
  },
  {
    name: 'a lease ended in two ways',
    told: [...told, { kind: 'outcome', ...second, outcome: 'failed', verdict: 'accepted' }],
    stored: [stored],
    finds: /was acknowledged as succeeded and as failed/,
  },
  {
    name: 'a stored success was refused',
    told: [...told.slice(0, 4), { kind: 'outcome', ...second, outcome: 'succeeded', verdict: 'refused' }],
    stored: [stored],
    finds: /was refused, and the database says succeeded by it/,
  },
  {
    name: 'a task comes from nowhere',
    told: told.slice(1),
    stored: [stored],
    finds: /nobody was told of its creation/,
  },
  {
    name: 'a success was reported by nobody',
    told: told.slice(0, 4),
    stored: [stored],
    finds: /which nobody reported/,
  },
]

for (const { name, told: history, stored: rows, finds } of planted)
  test(`it finds that ${name}`, () => {
    match(checkHistories(history, rows, { isComplete: true }).join('\n'), finds)
  })

test('an attempt older than the 20 that are kept is not called lost', () => {
  const history: Told[] = [told[0]!, told[1]!, { kind: 'outcome', ...first, outcome: 'failed', verdict: 'accepted' }]
  const attempts = Array.from({ length: 20 }, (_, i) => ({ ...lostAttempt, number: i + 2 }))
  deepEqual(checkHistories(history, [{ ...stored, state: DEAD, attempt: 21, attempts }], { isComplete: true }), [])
})

test('a history survives the death of its client in the middle of a line', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'flowforge-history-')), 'worker.ndjson')
  const file = new HistoryFile(path, 'worker-1')
  for (const event of told) file.told(event)
  appendFileSync(path, '{"kind":"outc')
  const events = readHistories([path])
  equal(events.length, told.length)
  deepEqual(checkHistories(events, [stored], { isComplete: true }), [])
})
