import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { usualTraffic, type Bounds } from './experiment.ts'
import { evaluate, type Observed } from './evaluate.ts'
import type { Try } from './observe/series.ts'

/** 20 s at 20 tasks a second, a fault from 6 s to 8 s, and an answer to everything. */
function observed(change: Partial<Observed> = {}, bounds: Partial<Bounds> = {}): Observed {
  const tries = Array.from({ length: 400 }, (_, n): Try => ({ dueMs: n * 50, endedMs: n * 50 + 10, status: 'OK' }))
  return {
    experiment: {
      name: 'example',
      title: 'Example',
      hypothesis: 'Nothing happens.',
      explanation: 'Nothing was done.',
      fault: { kind: 'burn', processes: 1, forMs: 2_000 },
      bounds: { errorShareMax: 0.1, recoverMsMax: 3_000, ...bounds },
    },
    traffic: { ...usualTraffic, ratePerSecond: 20 },
    producer: { tries, resent: 0 },
    judgement: {
      violations: [],
      lostAttempts: 0,
      firstLossAt: undefined,
      refusedOutcomes: 0,
      finishedAt: tries.map(({ endedMs }) => endedMs + 20),
      tasks: tries.length,
      dead: 0,
    },
    watch: { unready: [], exceeded: [], looks: 50 },
    fault: { fromMs: 6_000, untilMs: 8_000, isAborted: false },
    moments: [],
    measured: {},
    endedMs: 20_000,
    epochMs: 0,
    unanswered: 0,
    ...change,
  }
}

/** The same run in which every try that was due in this stretch was refused. */
function refusing(fromMs: number, untilMs: number): Observed {
  const run = observed()
  for (const one of run.producer.tries) if (one.dueMs >= fromMs && one.dueMs < untilMs) one.status = 'UNAVAILABLE'
  return run
}

test('a run in which nothing went wrong held', () => {
  const { verdict, why, figures } = evaluate(observed())
  deepEqual([verdict, why], ['held', []])
  equal(figures.p95DuringMs, 10)
  equal(figures.recoverMs, 0)
})

test('errors within the bounds are figures, and told with the moment of the first', () => {
  const { verdict, figures } = evaluate(refusing(6_500, 8_000))
  equal(verdict, 'held')
  deepEqual([figures.errors, figures.statuses, figures.detectMs], [30, { UNAVAILABLE: 30 }, 510])
})

test('the time to recover counts from the end of the fault', () => {
  equal(evaluate(refusing(6_000, 9_400)).figures.recoverMs, 1_500)
})

const planted: { name: string; run: Observed; finds: RegExp }[] = [
  {
    name: 'a promise was broken',
    run: observed({ judgement: { ...observed().judgement, violations: ['t: it is lost'] } }),
    finds: /t: it is lost/,
  },
  {
    name: 'a limit was exceeded',
    run: observed({ watch: { unready: [], exceeded: ['4 ran'], looks: 9 } }),
    finds: /4 ran/,
  },
  {
    name: 'nobody looked at the limits',
    run: observed({ watch: { unready: [], exceeded: [], looks: 0 } }),
    finds: /never looked at/,
  },
  { name: 'a task was never acknowledged', run: observed({ unanswered: 1 }), finds: /1 tasks were never acknowledged/ },
  { name: 'too many tries failed', run: refusing(6_000, 9_000), finds: /15\.00 % of the tries failed/ },
  { name: 'it recovered too late', run: refusing(11_900, 12_000), finds: /came back after 4000 ms, bound 3000/ },
  { name: 'it did not recover', run: refusing(19_000, 20_000), finds: /did not come back/ },
  { name: 'it was not steady before', run: refusing(0, 6_000), finds: /no steady state to begin with/ },
  {
    name: 'a task died',
    run: observed({ judgement: { ...observed().judgement, dead: 1 } }),
    finds: /1 tasks ended as dead/,
  },
  { name: 'nobody noticed', run: observed({}, { detectMsMax: 1_000 }), finds: /noticed after ∞ ms/ },
  {
    name: 'calls multiplied',
    run: observed({ measured: { amplification: 3 } }, { amplificationMax: 1.5 }),
    finds: /3 calls reached the upstream/,
  },
]

for (const { name, run, finds } of planted)
  test(`a run is broken if ${name}`, () => {
    const { verdict, why } = evaluate(run)
    equal(verdict, 'broken')
    match(why.join('\n'), finds)
  })

test('a fault that was ended early is no verdict about the hypothesis', () => {
  equal(evaluate(observed({ fault: { fromMs: 6_000, untilMs: 8_000, isAborted: true } })).verdict, 'aborted')
})
