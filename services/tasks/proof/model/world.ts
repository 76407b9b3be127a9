/** The sessions of the model test, and how each step calls the engine. */
import { isConflict, isDataError } from '@flowforge/runtime/sqlstate'
import { StatusError } from '@flowforge/runtime/status'
import type { TestDatabase } from '@flowforge/runtime/testing/database'
import type pg from 'pg'
import { v7 } from 'uuid'
import { cancelTask } from '../../engine/cancel.ts'
import type { Created, NewTask } from '../../engine/create.ts'
import { deleteTask } from '../../engine/delete.ts'
import { extendLeases, storeProgress } from '../../engine/extend.ts'
import { judgeRefused, leaseId, leaseOf, type LeaseKey } from '../../engine/fence.ts'
import { leaseSteered, leaseTasks, type LeasedRow } from '../../engine/lease.ts'
import { promoteTasks } from '../../engine/promote.ts'
import { ageTasks, changeQueue, forgetKeys, rollUpCounts, setPaused } from '../../engine/queues.ts'
import { redriveTask } from '../../engine/redrive.ts'
import {
  expireSession,
  newSessionId,
  openSession,
  renewSessions,
  resumeSession,
  type Session,
} from '../../engine/sessions.ts'
import { released, settleTasks, type Ending, type Settled } from '../../engine/settle.ts'
import { Outcome } from '../../engine/states.ts'
import { quarantineError, endOrphaned, sweep } from '../../engine/sweep.ts'
import type { ToldOutcome } from '../history/events.ts'
import { queuesCount, sessionsCount, type Step } from './step.ts'
import { Together, type Ways } from './together.ts'
import { Answers, outcomeName, project } from './told.ts'

const lossesMax = 3
const sessionMs = 10_000

/** One run: what exists, and what was told. */
export class World {
  readonly answers = new Answers()
  readonly #database: TestDatabase
  readonly #pool: pg.Pool
  readonly #queueIds: number[]
  readonly #sessions: (Session | undefined)[] = Array.from({ length: sessionsCount })
  readonly #tasks: string[] = []
  readonly #leases: LeaseKey[] = []
  readonly #together: Together
  readonly #ways: Ways

  constructor(database: TestDatabase, pool: pg.Pool, queueIds: number[], ways: Ways) {
    this.#database = database
    this.#pool = pool
    this.#queueIds = queueIds
    this.#ways = ways
    this.#together = new Together(pool, ways, (row) => this.#leased(row))
  }

  /** Runs a step. What the database gave up in favour of another, or the engine refused, has done nothing. */
  async run(step: Step): Promise<void> {
    try {
      await this.#run(step)
      // As an engine hears of it: these may have made something READY.
      if (step.kind !== 'create') await this.#together.lookInto(this.#plainQueueIds)
    } catch (error) {
      if (!isGivenUp(error)) throw error
    }
  }

  /** Ends all streams; throws if a worker that waited was wronged. */
  async stop(): Promise<void> {
    await this.#together.stop()
    if (this.#together.wrongs.length > 0) throw new Error(this.#together.wrongs.join('\n'))
  }

  /** Lets everything come to its end by healthy steps only; what is still there after that is stuck. */
  async drain(): Promise<void> {
    await this.#database.advanceClock(3_600_000)
    for (let queue = 0; queue < queuesCount; queue++) await this.#run({ kind: 'pause', queue, isPaused: false })
    for (let session = 0; session < sessionsCount; session++) this.#sessions[session] = undefined
    for (let left = 60; left > 0; left--) {
      this.answers.round++
      await this.#run({ kind: 'sweep' })
      await this.#run({ kind: 'promote' })
      await this.#drainQueues()
      const { rowCount } = await this.#pool.query('select from tasks.task limit 1')
      if (rowCount === 0) return
      await this.#database.advanceClock(10_000)
    }
    const { rows } = await this.#pool.query('select * from tasks.task limit 3')
    throw new Error(`tasks are stuck: ${JSON.stringify(rows)}`)
  }

  async #drainQueues(): Promise<void> {
    for (let queue = 0; queue < queuesCount; queue++) {
      const before = this.#leases.length
      await this.#run({ kind: 'lease', session: 0, queue, slots: 50, isUnary: true })
      const leases = this.#leases.slice(before)
      if (leases.length > 0) await this.#complete(leases)
    }
  }

  #run(step: Step): Promise<unknown> {
    const pool = this.#pool
    switch (step.kind) {
      case 'create':
        return this.#create(step)
      case 'lease':
        return this.#lease(step)
      case 'wait':
        return this.#wait(step)
      case 'complete':
        return this.#complete(this.#pickLeases(step.leases))
      case 'release':
        return this.#settle(this.#pickLeases(step.leases).map(released))
      case 'fail':
        return this.#settle(
          this.#pickLeases(step.leases).map((lease) => ({
            ...released(lease),
            outcome: Outcome.failed,
            isPermanent: step.isPermanent,
            delayMs: step.delayMs,
          })),
        )
      case 'extend':
        return extendLeases(pool, this.#pickLeases(step.leases), 5_000)
      case 'progress':
        return storeProgress(
          pool,
          this.#pickLeases(step.leases).map((lease) => ({ ...lease, progress: null })),
        )
      case 'cancel':
        return this.#onTask(step.task, (key) => cancelTask(pool, key, null))
      case 'redrive':
        return this.#onTask(step.task, (key) => redriveTask(pool, key, null))
      case 'delete':
        return this.#onTask(step.task, async (key) => {
          if (await deleteTask(pool, key, null)) this.answers.delete(key.id)
        })
      case 'renew':
      case 'leave':
      case 'resume':
      case 'kill':
        return this.#onSession(step.kind, step.session)
      case 'clock':
        return this.#database.advanceClock(step.ms)
      case 'promote':
        return promoteTasks(pool)
      case 'sweep':
        return this.#sweep()
      case 'age':
        return ageTasks(pool)
      case 'rollUp':
        return rollUpCounts(pool)
      case 'forgetKeys':
        return forgetKeys(pool)
      case 'pause':
        return setPaused(pool, project, `q${step.queue}`, step.isPaused)
      case 'resize':
        return changeQueue(pool, this.#queueIds[2]!, { concurrencyPerKey: step.concurrencyPerKey })
    }
  }

  async #wait({ session, room, types }: Extract<Step, { kind: 'wait' }>): Promise<void> {
    await this.#together.wait(await this.#sessionOf(session), room, types, this.#plainQueueIds)
  }

  /** Those of which statements may lease that know no limits. */
  get #plainQueueIds(): number[] {
    return [this.#queueIds[0]!, this.#queueIds[2]!]
  }

  async #create(step: Extract<Step, { kind: 'create' }>): Promise<void> {
    const { rows } = await this.#pool.query('select tasks.now() as now')
    const at = (ms: number) => (ms === 0 ? null : new Date(rows[0].now.getTime() + ms))
    const items = Array.from({ length: step.count }, (_, i): NewTask => {
      return {
        project,
        id: v7(),
        queueId: this.#queueIds[step.queue]!,
        type: step.bad === 'task' && i === 0 ? 'not\0text' : step.type,
        priority: step.priority,
        scheduleTime: at(step.delayMs),
        expireTime: at(step.expireMs),
        attemptTimeoutMs: 60_000,
        retryPolicy: { max_attempts: step.attemptsMax },
        requestId: i === 0 && step.requestId < 3 ? `request-${step.requestId}` : null,
        fingerprint: Buffer.from('same'),
        isFair: step.queue === 3,
        fairnessKey: step.queue === 3 && step.fairnessKey > 0 ? `f${step.fairnessKey}` : null,
        concurrencyKey: step.queue >= 2 && step.concurrencyKey > 0 ? `k${step.concurrencyKey}` : null,
        uniqueKey: i === 0 && step.uniqueKey < 3 ? `u${step.uniqueKey}` : null,
        uniquePolicy: step.uniquePolicy,
        labels: null,
        traceparent: null,
        payload: null,
      }
    })
    const leases = this.#pickLeases(step.leases)
    const bad = step.bad === 'success' ? this.#failToComplete() : undefined
    const [created] = await Promise.all([this.#together.creations.createAll(items), this.#complete(leases), bad])
    this.#toldOf(created)
    const started = created.filter((one): one is Created => !(one instanceof Error) && one.isLeased === true)
    this.#ways.handedOver += started.length
    if (started.length === 0) return
    const { rowCount } = await this.#pool.query(
      `select from tasks.task where id = any($1) and state = 3 and attempt = 1
        and not exists (select from tasks.session where session.id = session_id)`,
      [started.map(({ row }) => row.id)],
    )
    this.#ways.handedToLost += rowCount!
  }

  /** Reports a success that no database can take. */
  async #failToComplete(): Promise<void> {
    const lease = { project: 'no text holds \0', id: v7(), attempt: 1, sessionId: 1n }
    const error = await this.#together.successes.add({ ...lease, result: null }).catch((failure: unknown) => failure)
    if (!isDataError(error) && !isGivenUp(error))
      throw new Error('a success that cannot be stored was', { cause: error })
  }

  #toldOf(created: (Created | Error)[]): void {
    for (const one of created) {
      if (one instanceof Error) {
        if (!isGivenUp(one) && !isDataError(one)) throw one
        continue
      }
      if (!one.isNew) continue
      this.answers.create(one.row.id)
      this.#tasks.push(one.row.id)
    }
  }

  async #lease({ session, queue, slots, isUnary }: Extract<Step, { kind: 'lease' }>): Promise<void> {
    const sessionId = isUnary ? await newSessionId(this.#pool) : (await this.#sessionOf(session)).id
    const slot = { sessionId, worker: `w${session}`, leaseMs: isUnary ? 8_000 : null }
    // As the engine chooses: queues with limits or fairness are steered.
    const lease = queue === 0 || queue === 2 ? leaseTasks : leaseSteered
    const rows = await lease(
      this.#pool,
      this.#queueIds[queue]!,
      null,
      Array.from({ length: slots }, () => slot),
    )
    if (rows.length > slots) throw new Error(`${rows.length} tasks were leased for ${slots} slots`)
    for (const row of rows) {
      if (row.session_id !== String(sessionId))
        throw new Error(`${row.id} was leased to session ${row.session_id}, not ${sessionId}`)
      this.#leased(row)
    }
  }

  #leased(row: LeasedRow): void {
    const key = leaseOf(row)
    this.#leases.push(key)
    this.answers.lease(key)
  }

  async #complete(leases: LeaseKey[]): Promise<void> {
    const taken = await Promise.all(
      leases.map((lease) =>
        this.#together.successes.add({ ...lease, result: null }).then(
          () => 'accepted',
          (error: unknown) => (isConflict(error) ? 'given up' : refusal(error)),
        ),
      ),
    )
    const reported = leases.filter((_, i) => taken[i] !== 'given up')
    await this.#reported(
      reported,
      reported.map(() => Outcome.succeeded),
      new Set(leases.filter((_, i) => taken[i] === 'accepted').map(leaseId)),
    )
  }

  /** Tells who reported what was taken, and of the rest what was taken before. */
  async #reported(leases: LeaseKey[], outcomes: number[], taken: ReadonlySet<string>): Promise<void> {
    const verdicts = await judgeRefused(this.#pool, leases, outcomes)
    leases.forEach((lease, i) => {
      const verdict = taken.has(leaseId(lease)) ? 'accepted' : verdicts[i] ? 'refused' : 'accepted before'
      this.answers.report(lease, outcomeName(outcomes[i]) as ToldOutcome, verdict)
      this.#together.ended(lease)
    })
  }

  async #settle(endings: Ending[]): Promise<void> {
    if (endings.length === 0) return
    const settled = await settleTasks(this.#pool, endings, lossesMax, quarantineError)
    const ids = new Set(settled.map((row) => leaseId({ ...row, sessionId: row.session_id })))
    await this.#reported(
      endings,
      endings.map(({ outcome }) => outcome),
      ids,
    )
  }

  async #sweep(): Promise<void> {
    for await (const { settled } of sweep(this.#pool, lossesMax)) this.#swept(settled)
    this.#swept(await endOrphaned(this.#pool, lossesMax))
  }

  #swept(settled: Settled[]): void {
    for (const row of settled) this.answers.end({ ...row, sessionId: row.session_id }, 'swept')
  }

  async #onTask(pick: number, act: (key: { project: string; id: string }) => Promise<unknown>): Promise<void> {
    const id = this.#tasks.at(-1 - (pick % Math.min(this.#tasks.length, 30)))
    if (id) await act({ project, id })
  }

  async #sessionOf(index: number): Promise<Session> {
    return (this.#sessions[index] ??= await openSession(this.#pool, `w${index}`, sessionMs))
  }

  async #onSession(kind: 'renew' | 'leave' | 'resume' | 'kill', index: number): Promise<void> {
    const session = await this.#sessionOf(index)
    if (kind === 'renew') {
      const { alive } = await renewSessions(this.#pool, [{ session, leftMs: sessionMs }])
      if (!alive.has(session.id)) this.#sessions[index] = undefined
    } else if (kind === 'leave') {
      await this.#together.leave(session.id)
      await expireSession(this.#pool, session, 2_000)
    } else if (kind === 'kill') this.#sessions[index] = undefined
    else this.#sessions[index] = await resumeSession(this.#pool, session.id, session.token, sessionMs)
  }

  /** Mostly late leases, so that some still hold and some were replaced; each at most once, as in a batch. */
  #pickLeases(picks: number[]): LeaseKey[] {
    const picked = picks.map((pick) => this.#leases.at(-1 - (pick % Math.min(this.#leases.length, 15))))
    return [...new Set(picked.filter((lease) => lease !== undefined))]
  }
}

/** True if the database gave it up in favour of another, or the engine refused it. */
function isGivenUp(error: unknown): boolean {
  return isConflict(error) || error instanceof StatusError
}

function refusal(error: unknown): 'refused' {
  if (error instanceof StatusError) return 'refused'
  throw error
}
