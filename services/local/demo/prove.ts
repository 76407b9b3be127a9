import type { TaskResource } from '@flowforge/sdk/client-resources'
import type { Delivery } from './messages.ts'
import type { Submission } from './submit.ts'

/** What was submitted, what the API says of it, and what the outside world saw. */
export interface Evidence {
  submissions: Submission[]
  tasks: TaskResource[]
  deliveries: Delivery[]
  /** Whether a worker was killed, so that a delivery whose outcome it could not report may be repeated. */
  wasWorkerKilled: boolean
}

/** A claim about the run, and what speaks against it. */
export interface Claim {
  claim: string
  violations: string[]
}

/** Compares the three views of the run with each other; every claim without a violation is proved. */
export function prove({ submissions, tasks, deliveries, wasWorkerKilled }: Evidence): Claim[] {
  const taskOf = new Map(tasks.map((task) => [task.name, task]))
  const deliveriesOf = Map.groupBy(deliveries, ({ index }) => index)
  const each = (
    claim: string,
    violation: (it: Submission, task: TaskResource | undefined, got: Delivery[]) => string | undefined,
  ) => ({
    claim,
    violations: submissions.flatMap((it) => violation(it, taskOf.get(it.name), deliveriesOf.get(it.index) ?? []) ?? []),
  })
  return [
    {
      claim: 'each submission is one task, and there is no other',
      violations:
        tasks.length === taskOf.size &&
        tasks.length === submissions.length &&
        submissions.every((it) => taskOf.has(it.name))
          ? []
          : [`${submissions.length} submissions, ${tasks.length} tasks of ${taskOf.size} names`],
    },
    each('each task finished, as SUCCEEDED', ({ name }, task) =>
      task?.state === 'TASK_STATE_SUCCEEDED' && task.finishTime ? undefined : `${name} is ${task?.state}`,
    ),
    each('each task has exactly one attempt that succeeded, its last', ({ name }, task) => {
      const outcomes = (task?.attempts ?? []).map(({ outcome }) => outcome)
      const isOnce = outcomes.indexOf('ATTEMPT_OUTCOME_SUCCEEDED') === outcomes.length - 1 && outcomes.length > 0
      return isOnce ? undefined : `${name} has the attempts ${outcomes.join(', ')}`
    }),
    each('each payload arrived byte for byte, by SHA-256', ({ name, sample }, _, got) => {
      const isSame = got.some(({ status }) => status === 204) && got.every(({ sha256 }) => sha256 === sample.sha256)
      return isSame
        ? undefined
        : `${name} arrived as ${got.map(({ sha256 }) => sha256.slice(0, 12)).join(', ') || 'nothing'}`
    }),
    each('each delivery carries a valid Standard Webhooks signature, and one webhook-id per task', ({ name }, _, got) =>
      got.every(({ isVerified }) => isVerified) && new Set(got.map(({ webhookId }) => webhookId)).size === 1
        ? undefined
        : `${name} arrived unsigned or with several ids`,
    ),
    each('the API’s attempts are what the receiver saw', ({ name }, task, got) => {
      const outcomes = (task?.attempts ?? []).map(({ outcome }) => outcome)
      // A worker that died or gave the task back may or may not have reached the receiver before.
      const unsure = outcomes.filter((it) => it === 'ATTEMPT_OUTCOME_LOST' || it === 'ATTEMPT_OUTCOME_RELEASED').length
      const isConsistent = got.length <= outcomes.length && got.length >= outcomes.length - unsure
      return isConsistent ? undefined : `${name} has ${outcomes.length} attempts, the receiver saw ${got.length}`
    }),
    wasWorkerKilled
      ? each(
          'a delivery was repeated after it was accepted only where a killed worker could not report it',
          ({ name }, task, got) => {
            const lost = (task?.attempts ?? []).filter(({ outcome }) => outcome === 'ATTEMPT_OUTCOME_LOST').length
            return accepted(got) <= 1 + lost ? undefined : `${name} was accepted ${accepted(got)} times`
          },
        )
      : each('each delivery was accepted exactly once', ({ name }, _, got) =>
          accepted(got) === 1 ? undefined : `${name} was accepted ${accepted(got)} times`,
        ),
  ]
}

/** Submissions that the receiver accepted more than once: running is at-least-once, finishing exactly once. */
export function acceptedTwice({ submissions, deliveries }: Evidence): Submission[] {
  const deliveriesOf = Map.groupBy(deliveries, ({ index }) => index)
  return submissions.filter(({ index }) => accepted(deliveriesOf.get(index) ?? []) > 1)
}

function accepted(deliveries: Delivery[]): number {
  return deliveries.filter(({ status }) => status === 204).length
}
