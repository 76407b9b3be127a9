/** What the engine counts. Labels are bounded: no names of users' making. */
import { Counter, registry } from '@flowforge/runtime/metrics'

export const tasksCreated = new Counter({
  name: 'tasks_created_total',
  help: 'Tasks acknowledged as created.',
  registers: [registry],
})

export const tasksCompleted = new Counter({
  name: 'tasks_completed_total',
  help: 'Tasks that finished, by final state.',
  labelNames: ['state'],
  registers: [registry],
})

export const attemptsEnded = new Counter({
  name: 'task_attempts_total',
  help: 'Attempts that ended, by outcome.',
  labelNames: ['outcome'],
  registers: [registry],
})

const names = ['', 'scheduled', 'ready', 'running', 'succeeded', 'cancelled', 'dead']

/** The state's number as a label. */
export function stateName(state: number): string {
  return names[state] ?? 'unknown'
}
