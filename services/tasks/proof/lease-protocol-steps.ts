/** The steps of the lease protocol: what may happen next in each state. */
import type { Step } from './explore.ts'
import type { Bounds, Lease, Outcome, Protocol, State, Stream } from './lease-protocol.ts'

type Draft = { [K in keyof State]: State[K] }

/** Everything that may happen next. */
export function stepsOf(state: State, protocol: Protocol, bounds: Bounds): Step<State>[] {
  const steps: Step<State>[] = []
  const add = (label: string, isFault: boolean, change: (draft: Draft) => string | undefined | void) => {
    const draft = copyOf(state)
    const violation = change(draft) ?? undefined
    steps.push({ label, isFault, to: canonical(draft, protocol), ...(violation ? { violation } : {}) })
  }
  const context = { state, protocol, bounds, add }
  // Once it has finished, only another outcome could do harm.
  if (state.task.place === 'finished') {
    outcomeSteps(context)
    return steps
  }
  workerSteps(context)
  streamSteps(context)
  leaseSteps(context)
  outcomeSteps(context)
  sweepSteps(context)
  if (state.task.place === 'dead' && state.task.serial < bounds.serials)
    add('an operator redrives the task', true, ({ task }) => {
      task.place = 'ready'
      if (protocol.redrive === 'resets the attempt') task.attempt = 0
    })
  return steps
}

interface Context {
  state: State
  protocol: Protocol
  bounds: Bounds
  add: (label: string, isFault: boolean, change: (draft: Draft) => string | undefined | void) => void
}

/** Opening, resuming, dying. */
function workerSteps({ state, protocol, bounds, add }: Context): void {
  state.workers.forEach((worker, w) => {
    const name = `worker ${w + 1}`
    const isGone = worker.session > 0 && !state.sessions[worker.session - 1]
    if (worker.epoch === 0 && (worker.session === 0 || isGone) && state.sessions.length < bounds.sessions)
      add(`${name} opens session ${state.sessions.length + 1}`, false, (draft) => {
        const session = draft.sessions.push({ worker: w, epoch: 1, due: 'no' })
        // What it brings along belongs to a session that is gone: it is told so.
        draft.workers[w] = { session, epoch: 1, held: null }
        draft.streams.push({ session, epoch: 1 })
      })
    state.sessions.forEach((session, s) => {
      const isOwn = worker.session === s + 1
      const isGuess = protocol.resume === 'by number' && worker.session === 0
      if (!session || worker.epoch > 0 || session.epoch >= bounds.epochs || !(isOwn || isGuess)) return
      add(`${name} resumes session ${s + 1}`, !isOwn, (draft) => resume(draft, w, s))
    })
    if (worker.session > 0)
      add(`${name} dies and is started again`, true, (draft) => {
        draft.grants = draft.grants.filter(({ stream }) => !isServing(stream, worker))
        draft.workers[w] = { session: 0, epoch: 0, held: null }
      })
  })
}

function resume(draft: Draft, w: number, s: number): string | undefined {
  const session = draft.sessions[s]!
  const worker = draft.workers[w]!
  session.epoch++
  session.due = 'no'
  const isRunning = draft.task.place === 'running' && draft.task.session === s + 1
  const brings = worker.held?.session === s + 1 ? worker.held : null
  const isKept = isRunning && brings?.attempt === draft.task.attempt
  draft.workers[w] = { session: s + 1, epoch: session.epoch, held: isKept ? brings : null }
  draft.streams.push({ session: s + 1, epoch: session.epoch })
  if (!isRunning || isKept) return undefined
  // On its way when the stream broke: given back, for the worker never saw it.
  const isHeldElsewhere = draft.workers.some(({ held }) => held?.serial === draft.task.serial)
  draft.task.place = 'ready'
  return isHeldElsewhere ? 'a lease that its worker still holds was given back' : undefined
}

/** Streams break, and their processes notice, or die themselves. */
function streamSteps({ state, protocol, add }: Context): void {
  state.workers.forEach((worker, w) => {
    if (worker.epoch > 0)
      add(`the stream of worker ${w + 1} breaks`, true, (draft) => {
        draft.grants = draft.grants.filter(({ stream }) => !isServing(stream, worker))
        draft.workers[w]!.epoch = 0
      })
  })
  state.streams.forEach((stream, i) => {
    const session = state.sessions[stream.session - 1]
    const served = state.workers.findIndex((worker) => isServing(stream, worker))
    const name = `stream ${stream.session}.${stream.epoch}`
    if (served === -1)
      add(`the process of ${name} notices that it is broken`, false, (draft) => {
        draft.streams.splice(i, 1)
        const row = draft.sessions[stream.session - 1]
        if (!row) return
        if (row.epoch === stream.epoch) row.due = 'its time is over'
        else if (protocol.endOfStream === 'without epoch') row.due = 'a stream that it had left ended it'
      })
    else if (!session)
      add(`a renewal of ${name} finds its session gone`, false, (draft) => {
        draft.streams.splice(i, 1)
        draft.workers[served]!.epoch = 0
        draft.workers[served]!.held = null
        draft.grants = draft.grants.filter((grant) => !isSame(grant.stream, stream))
      })
    else if (session.due === 'its time is over' && session.epoch === stream.epoch)
      add(`session ${stream.session} is renewed`, false, (draft) => {
        draft.sessions[stream.session - 1]!.due = 'no'
      })
    add(`the process of ${name} is killed`, true, (draft) => {
      draft.streams.splice(i, 1)
      draft.grants = draft.grants.filter((grant) => !isSame(grant.stream, stream))
      // What it had read and not yet written is forgotten; what it had sent to the database is not.
      draft.writing = []
      draft.sweeping = []
      if (served !== -1) draft.workers[served]!.epoch = 0
    })
  })
}

/** A lease: asked for, committed (perhaps after who asked has died), and on its way to the worker. */
function leaseSteps({ state, protocol, bounds, add }: Context): void {
  for (const stream of state.streams)
    // One in flight stands for many: all but one of them find the task taken.
    if (state.task.place === 'ready' && state.leasing.length === 0)
      add(`stream ${stream.session}.${stream.epoch} sends a lease statement`, false, (draft) => {
        draft.leasing.push(stream)
      })
  state.leasing.forEach((stream, i) => {
    if (state.task.place === 'ready' && state.task.serial === bounds.serials) return
    add(`the lease statement of stream ${stream.session}.${stream.epoch} commits`, false, (draft) => {
      draft.leasing.splice(i, 1)
      const { task } = draft
      const isServed = draft.sessions[stream.session - 1]?.epoch === stream.epoch
      if (task.place !== 'ready' || (protocol.lease === 'under the session lock' && !isServed)) return
      Object.assign(task, {
        place: 'running',
        attempt: task.attempt + 1,
        session: stream.session,
        serial: task.serial + 1,
      })
      const lease = { attempt: task.attempt, session: task.session, serial: task.serial }
      if (
        draft.workers.some((worker) => isServing(stream, worker)) &&
        draft.streams.some((other) => isSame(other, stream))
      )
        draft.grants.push({ stream, lease })
    })
  })
  state.grants.forEach(({ stream, lease }, i) => {
    add(`the worker of session ${stream.session} receives attempt ${lease.attempt}`, false, (draft) => {
      draft.grants.splice(i, 1)
      draft.workers.find((worker) => isServing(stream, worker))!.held = lease
    })
  })
}

/** An outcome: sent, delivered once or again, acknowledged or not. */
function outcomeSteps({ state, protocol, add }: Context): void {
  state.workers.forEach(({ held }, w) => {
    for (const kind of ['success', 'death'] as const)
      if (held && !state.outcomes.some((outcome) => isOf(outcome.lease, held)))
        add(`worker ${w + 1} reports the ${kind} of attempt ${held.attempt}`, false, (draft) => {
          draft.outcomes.push({ lease: held, kind })
        })
  })
  state.outcomes.forEach((outcome, i) => {
    const name = `the ${outcome.kind} of attempt ${outcome.lease.attempt} of session ${outcome.lease.session}`
    add(`${name} arrives and is answered`, false, (draft) => {
      draft.outcomes.splice(i, 1)
      for (const worker of draft.workers) if (worker.held && isOf(worker.held, outcome.lease)) worker.held = null
      return receive(draft, protocol, outcome)
    })
    add(`${name} arrives, and the network keeps a copy`, true, (draft) => receive(draft, protocol, outcome))
    add(`${name} is lost`, true, (draft) => void draft.outcomes.splice(i, 1))
  })
  state.writing.forEach((outcome, i) => {
    add(`the ${outcome.kind} of attempt ${outcome.lease.attempt} is written`, false, (draft) => {
      draft.writing.splice(i, 1)
      return write(draft, outcome)
    })
  })
}

function receive(draft: Draft, protocol: Protocol, outcome: Outcome): string | undefined {
  const { task } = draft
  const isAttempt = task.attempt === outcome.lease.attempt
  const isSession = task.session === outcome.lease.session
  const holds = { 'attempt and session': isAttempt && isSession, attempt: isAttempt, session: isSession, none: true }
  if (task.place !== 'running' || !holds[protocol.fence]) return undefined
  if (protocol.fenceIn === 'the write' && protocol.move === 'one statement') return write(draft, outcome)
  if (draft.writing.some((other) => isOf(other.lease, outcome.lease))) return undefined
  if (protocol.move === 'two statements') task.place = 'nowhere'
  draft.writing.push(outcome)
  return undefined
}

function write(draft: Draft, outcome: Outcome): string | undefined {
  const { task } = draft
  if (task.place === 'finished') return 'the task finished twice'
  const isStale = task.place !== 'nowhere' && (task.place !== 'running' || task.serial !== outcome.lease.serial)
  task.place = outcome.kind === 'success' ? 'finished' : 'dead'
  return isStale ? 'a stale outcome was accepted' : undefined
}

/** The clock passes an expiry; whoever sweeps finds it. */
function sweepSteps({ state, protocol, add }: Context): void {
  state.sessions.forEach((session, s) => {
    if (!session) return
    const isServed = state.workers.some((worker) => isServing({ session: s + 1, epoch: session.epoch }, worker))
    if (session.due === 'no')
      add(`the clock passes the expiry of session ${s + 1}`, isServed, (draft) => {
        draft.sessions[s]!.due = 'its time is over'
      })
    if (protocol.clock === 'any client' && session.due === 'no')
      add(`a process whose clock is ahead sweeps session ${s + 1}`, true, (draft) => sweep(draft, s))
    if (session.due === 'no') return
    if (protocol.sweep === 'under the session lock')
      add(`a sweep ends session ${s + 1}`, false, (draft) => sweep(draft, s))
    else if (!state.sweeping.includes(s))
      add(`a sweep reads that session ${s + 1} is over`, false, (draft) => void draft.sweeping.push(s))
  })
  state.sweeping.forEach((s, i) => {
    add(`the sweep ends session ${s + 1}`, false, (draft) => {
      draft.sweeping.splice(i, 1)
      return sweep(draft, s)
    })
  })
}

function sweep(draft: Draft, s: number): string | undefined {
  const session = draft.sessions[s]
  if (!session) return undefined
  draft.sessions[s] = null
  const { task } = draft
  if (task.place !== 'running' || task.session !== s + 1) return undefined
  task.place = 'ready'
  return session.due === 'its time is over' ? undefined : 'a living session lost its lease'
}

function isServing(stream: Stream, worker: { session: number; epoch: number }): boolean {
  return worker.session === stream.session && worker.epoch === stream.epoch
}

function isSame(a: Stream, b: Stream): boolean {
  return a.session === b.session && a.epoch === b.epoch
}

function isOf(a: Lease, b: Lease): boolean {
  return a.serial === b.serial
}

/** A copy whose parts may be changed; leases and outcomes never are. */
function copyOf(state: State): Draft {
  return {
    task: { ...state.task },
    sessions: state.sessions.map((session) => session && { ...session }),
    workers: state.workers.map((worker) => ({ ...worker })),
    streams: [...state.streams],
    leasing: [...state.leasing],
    grants: [...state.grants],
    outcomes: [...state.outcomes],
    sweeping: [...state.sweeping],
    writing: [...state.writing],
  }
}

/** States that can't be told apart by what may happen next are one: sets have no order, and what can do nothing is left out. */
function canonical(draft: Draft, protocol: Protocol): State {
  const isInert = (stream: Stream): boolean =>
    protocol.lease === 'under the session lock' &&
    protocol.endOfStream === 'with epoch' &&
    draft.sessions[stream.session - 1]?.epoch !== stream.epoch &&
    !draft.workers.some((worker) => isServing(stream, worker))
  const inOrder = (a: Stream, b: Stream): number => a.session - b.session || a.epoch - b.epoch
  const bySerial = (a: Outcome, b: Outcome): number => a.lease.serial - b.lease.serial
  draft.streams = draft.streams.filter((stream) => !isInert(stream)).sort(inOrder)
  draft.leasing = draft.leasing.filter((stream) => !isInert(stream))
  draft.outcomes.sort(bySerial)
  draft.writing.sort(bySerial)
  draft.sweeping.sort((a, b) => a - b)
  return draft
}
