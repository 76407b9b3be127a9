/** What a rate of tasks needs, as straight lines through what was measured: each component's processor time a task. */
import type { Usage } from '../usage.ts'
import type { CapacityPoint } from './results.ts'

/** Cores that a component takes at a rate: `idle + perTask * rate`. */
export interface Line {
  idle: number
  perTask: number
  /** The part of the spread that the line explains, 0 to 1. */
  fit: number
  /** The highest rate that was measured. */
  measuredTo: number
}

/** Components that a task passes, in its order. */
export const components = ['gateway', 'tasks', 'postgres', 'worker'] as const
export type Modelled = (typeof components)[number]
export type Model = Record<Modelled, Line>

/** Fits the model; throws when there are too few measurements. */
export function fitModel(points: CapacityPoint[]): Model {
  if (points.length < 3) throw new Error('the model needs three rates at least')
  const lineOf = (component: Modelled) =>
    fitLine(points.map((point) => ({ x: point.perSecond, y: coresOf(point, component) })))
  return Object.fromEntries(components.map((component) => [component, lineOf(component)])) as Model
}

/** Cores that all instances of a component took. */
export function coresOf({ usage }: CapacityPoint, component: Modelled): number {
  return instancesOf(usage, component).reduce((sum, { cores }) => sum + cores, 0)
}

/** The most memory that an instance of a component was seen to have, MiB. */
export function memoryOf(points: CapacityPoint[], component: Modelled): number {
  return Math.max(...points.flatMap(({ usage }) => instancesOf(usage, component).map(({ memoryMiB }) => memoryMiB)))
}

function instancesOf(usage: Usage[], component: Modelled): Usage[] {
  return usage.filter(({ name }) => name.replace(/-\d+$/, '') === component)
}

/** The line with the least squares through points, which does not begin below zero. */
export function fitLine(points: { x: number; y: number }[]): Line {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [xMean, yMean] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))]
  const spread = points.reduce((sum, { x }) => sum + (x - xMean) ** 2, 0)
  const together = points.reduce((sum, { x, y }) => sum + (x - xMean) * (y - yMean), 0)
  const free = { slope: together / spread, start: yMean - (together / spread) * xMean }
  const through = points.reduce((sum, { x, y }) => sum + x * y, 0) / points.reduce((sum, { x }) => sum + x * x, 0)
  const [idle, perTask] = free.start >= 0 && free.slope > 0 ? [free.start, free.slope] : [0, through]
  const left = points.reduce((sum, { x, y }) => sum + (y - idle - perTask * x) ** 2, 0)
  const all = points.reduce((sum, { y }) => sum + (y - yMean) ** 2, 0)
  const measuredTo = Math.max(...points.map(({ x }) => x))
  return { idle, perTask, fit: all === 0 ? 1 : Math.max(0, 1 - left / all), measuredTo }
}

/** What a rate needs of one component. */
export interface Need {
  cores: number
  instances: number
  connections: number
}

/** An instance is one thread: it may be busy for this part of the time, so that answers do not queue. */
const busyMax = 0.6
/** Of a service's pool to PostgreSQL, and the one that listens. */
const poolSize = 10

/** Cores and instances for a rate above zero; never fewer than two of what must survive the loss of one. */
export function needOf(model: Model, component: Modelled, tasksPerSecond: number): Need {
  const { idle, perTask, measuredTo } = model[component]
  const known = Math.min(tasksPerSecond, measuredTo)
  // Beyond what was measured nothing gets cheaper: as many times the cores as the rate.
  const cores = ((idle + perTask * known) * tasksPerSecond) / known
  const instances = component === 'postgres' ? 1 : Math.max(2, Math.ceil(cores / busyMax))
  return { cores, instances, connections: component === 'tasks' ? instances * (poolSize + 1) : 0 }
}
