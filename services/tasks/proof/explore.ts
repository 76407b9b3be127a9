/**
 * Exploring every state that a small model can reach, breadth first, so that what is found first is found by the
 * shortest way.
 */

/** One way out of a state. */
export interface Step<State> {
  label: string
  to: State
  /** A fault is what need not happen: nothing may depend on it to go on. */
  isFault: boolean
  /** The promise that this very step breaks. */
  violation?: string
}

export interface Model<State> {
  initial: State
  steps: (state: State) => Step<State>[]
  /** Where every way must be able to end. */
  isGoal: (state: State) => boolean
  /** What is broken if a state can't reach a goal without another fault. */
  stuck: string
}

export interface Exploration {
  states: number
  counterexample: Counterexample | undefined
}

/** The shortest way to a broken promise. */
export interface Counterexample {
  violation: string
  steps: string[]
}

interface Visit {
  parent: number
  label: string
}

const statesMax = 3_000_000

/** Visits every state; ends at the first step that breaks a promise, or names the first state that is stuck. */
export function explore<State>(model: Model<State>): Exploration {
  const states = [model.initial]
  const visits: Visit[] = [{ parent: -1, label: '' }]
  const indexOf = new Map([[JSON.stringify(model.initial), 0]])
  /** By state: from where a step that is no fault leads there. */
  const healthyFrom: number[][] = [[]]
  for (let at = 0; at < states.length; at++) {
    for (const step of model.steps(states[at]!)) {
      if (step.violation)
        return {
          states: states.length,
          counterexample: { violation: step.violation, steps: [...wayTo(visits, at), step.label] },
        }
      const key = JSON.stringify(step.to)
      let index = indexOf.get(key)
      if (index === undefined) {
        index = states.push(step.to) - 1
        if (index > statesMax) throw new Error(`the model has more than ${statesMax} states`)
        indexOf.set(key, index)
        visits.push({ parent: at, label: step.label })
        healthyFrom.push([])
      }
      if (!step.isFault) healthyFrom[index]!.push(at)
    }
  }
  const stuckAt = firstStuck(states, healthyFrom, model.isGoal)
  return {
    states: states.length,
    counterexample: stuckAt === -1 ? undefined : { violation: model.stuck, steps: wayTo(visits, stuckAt) },
  }
}

/** The counterexample as numbered lines. */
export function printed({ violation, steps }: Counterexample): string {
  return [...steps.map((step, i) => `${i + 1}. ${step}`), `⇒ ${violation}`].join('\n')
}

function wayTo(visits: Visit[], index: number): string[] {
  const steps: string[] = []
  for (let at = index; at > 0; at = visits[at]!.parent) steps.unshift(visits[at]!.label)
  return steps
}

/** Walks backwards from all goals along steps that are no faults; what is not met can't get on. */
function firstStuck<State>(states: State[], healthyFrom: number[][], isGoal: (state: State) => boolean): number {
  const canEnd = new Uint8Array(states.length)
  const open: number[] = []
  for (let at = 0; at < states.length; at++) {
    if (!isGoal(states[at]!)) continue
    canEnd[at] = 1
    open.push(at)
  }
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const from of healthyFrom[at]!) {
      if (canEnd[from]) continue
      canEnd[from] = 1
      open.push(from)
    }
  }
  return canEnd.indexOf(0)
}
