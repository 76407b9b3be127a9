import { rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptOutcome, Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { SnoozeError, type HandlerContext } from '@flowforge/sdk'
import { boundedSnooze } from './bounded-snooze.ts'

const {
  ATTEMPT_OUTCOME_FAILED: FAILED,
  ATTEMPT_OUTCOME_RELEASED: RELEASED,
  ATTEMPT_OUTCOME_UNSPECIFIED: RUNNING,
} = AttemptOutcome

test('after ten snoozes in a row the next one counts as a failed attempt', async () => {
  const snoozing = boundedSnooze(() => {
    throw new SnoozeError(1_000)
  })
  const after = async (...outcomes: AttemptOutcome[]) => {
    const attempts = [...outcomes, RUNNING].map((outcome) => ({ outcome }))
    await snoozing(Task.fromPartial({ attempts }), {} as HandlerContext)
  }
  const released = (times: number) => Array.from({ length: times }, () => RELEASED)
  await rejects(after(), { name: 'SnoozeError' })
  await rejects(after(...released(9)), { name: 'SnoozeError' })
  await rejects(after(...released(10)), { name: 'RetryLaterError', afterMs: 1_000, reason: 'HOST_UNAVAILABLE' })
  await rejects(after(...released(12), FAILED, ...released(3)), { name: 'SnoozeError' })
})
