/** The steps that the model test draws from. Numbers pick among what exists when the step runs. */
import fc from 'fast-check'

export type Step =
  | {
      kind: 'create'
      queue: number
      count: number
      concurrencyKey: number
      fairnessKey: number
      priority: number
      delayMs: number
      expireMs: number
      requestId: number
      attemptsMax: number
      uniqueKey: number
      uniquePolicy: number
      type: string
      /** Leases whose success is reported at the same time. */
      leases: number[]
      /** What of it the database cannot take. */
      bad: 'nothing' | 'task' | 'success'
    }
  | { kind: 'lease'; session: number; queue: number; slots: number; isUnary: boolean }
  | { kind: 'complete' | 'extend' | 'progress' | 'release'; leases: number[] }
  | { kind: 'fail'; leases: number[]; isPermanent: boolean; delayMs: number }
  | { kind: 'cancel' | 'redrive' | 'delete'; task: number }
  | { kind: 'wait'; session: number; room: number; types: string[] }
  | { kind: 'renew' | 'leave' | 'resume' | 'kill'; session: number }
  | { kind: 'clock'; ms: number }
  | { kind: 'promote' | 'sweep' | 'age' | 'rollUp' | 'forgetKeys' }
  | { kind: 'pause'; queue: number; isPaused: boolean }
  | { kind: 'resize'; concurrencyPerKey: number }

export const queuesCount = 4
export const sessionsCount = 4

const index = fc.nat(1_000)
const queue = fc.nat(queuesCount - 1)
const session = fc.nat(sessionsCount - 1)
const leases = fc.array(index, { minLength: 1, maxLength: 4 })
const always = <K extends Step['kind']>(...kinds: K[]) => fc.constantFrom(...kinds)

const create = fc.record({
  kind: always('create'),
  // Queue 0 has what can be created as RUNNING.
  queue: fc.constantFrom(0, 0, 0, 1, 2, 3),
  count: fc.integer({ min: 1, max: 5 }),
  concurrencyKey: fc.nat(3),
  fairnessKey: fc.nat(2),
  priority: fc.integer({ min: -1, max: 1 }),
  delayMs: fc.constantFrom(0, 0, 0, 1_000, 20_000),
  expireMs: fc.constantFrom(0, 0, 0, 5_000),
  requestId: fc.nat(20),
  attemptsMax: fc.integer({ min: 1, max: 4 }),
  uniqueKey: fc.nat(5),
  uniquePolicy: fc.integer({ min: 1, max: 3 }),
  type: fc.constantFrom('echo', 'echo', 'other'),
  leases: fc.oneof(fc.constant<number[]>([]), leases),
  bad: fc.constantFrom('nothing', 'nothing', 'nothing', 'nothing', 'nothing', 'nothing', 'task', 'success'),
})

const weighted: fc.WeightedArbitrary<Step>[] = [
  { weight: 18, arbitrary: create },
  {
    weight: 22,
    arbitrary: fc.record({
      kind: always('lease'),
      session,
      queue,
      slots: fc.integer({ min: 1, max: 5 }),
      isUnary: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: always('wait'),
      session,
      room: fc.integer({ min: 1, max: 8 }),
      types: fc.constantFrom<string[][]>([], [], ['echo'], ['other']),
    }),
  },
  { weight: 14, arbitrary: fc.record({ kind: always('complete'), leases }) },
  { weight: 9, arbitrary: fc.record({ kind: always('extend', 'progress', 'release'), leases }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: always('fail'),
      leases,
      isPermanent: fc.boolean(),
      delayMs: fc.constantFrom(0, 2_000),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: always('cancel', 'redrive', 'delete'), task: index }) },
  { weight: 6, arbitrary: fc.record({ kind: always('renew', 'leave', 'resume', 'kill'), session }) },
  { weight: 4, arbitrary: fc.record({ kind: always('clock'), ms: fc.constantFrom(500, 2_500, 11_000, 400_000) }) },
  { weight: 14, arbitrary: fc.record({ kind: always('promote', 'sweep', 'sweep', 'age', 'rollUp', 'forgetKeys') }) },
  { weight: 2, arbitrary: fc.record({ kind: always('pause'), queue, isPaused: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: always('resize'), concurrencyPerKey: fc.integer({ min: 1, max: 3 }) }) },
]

/** Up to `count` rounds of steps; the steps of a round run at the same time. */
export function rounds(count: number, stepsMax: number): fc.Arbitrary<Step[][]> {
  const step = fc.oneof(...weighted)
  const round = fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' })
  return fc.array(round, { minLength: 1, maxLength: count, size: 'max' })
}
