import type { Experiment } from '../experiment.ts'
import type { Chaos } from './chaos-mesh.ts'
import { nameOf, type Installation, type KubernetesObject } from './installation.ts'

const apiVersion = 'chaos-mesh.org/v1alpha1'
/** A probe every 2 s that fails as often as this in a row aborts the workflow, which ends the fault. */
const failuresMax = 15

/**
 * An experiment as a Chaos Mesh workflow: the steady state is checked once before the fault, all the time during it, and
 * once after. A failing check aborts the rest.
 */
export function workflowOf(experiment: Experiment, chaos: Chaos, installation: Installation): KubernetesObject {
  const { name, fault, bounds } = experiment
  const [times, pauseMs] = fault.kind === 'kill' ? [fault.times, fault.everyMs] : [1, 0]
  const faultMs = 'forMs' in fault ? fault.forMs : (times - 1) * pauseMs + 1_000
  const blows = Array.from({ length: times }, (_, index) => `blow-${index + 1}`)
  const pauses = blows.slice(1).map((_, index) => `pause-${index + 1}`)
  const inTurn = blows.flatMap((blow, index) => [blow, ...pauses.slice(index, index + 1)])
  const inAllMs = faultMs + bounds.recoverMsMax
  // A pod is killed once; everything else lasts until its deadline.
  const lasting = fault.kind === 'kill' ? {} : { deadline: seconds(faultMs) }
  const templates = [
    serial('experiment', inAllMs + 120_000, ['before', 'fault', 'recovery', 'after']),
    statusCheck('before', 'Synchronous', 30_000, installation),
    { ...serial('fault', faultMs + 30_000, ['blows', 'during']), templateType: 'Parallel' },
    serial('blows', faultMs + 30_000, inTurn),
    ...blows.map((blow) => ({ name: blow, templateType: chaos.kind, ...lasting, [chaos.field]: chaos.spec })),
    ...pauses.map((pause) => ({ name: pause, templateType: 'Suspend', deadline: seconds(pauseMs) })),
    statusCheck('during', 'Continuous', faultMs, installation),
    { name: 'recovery', templateType: 'Suspend', deadline: seconds(bounds.recoverMsMax) },
    statusCheck('after', 'Synchronous', 30_000, installation),
  ]
  return {
    apiVersion,
    kind: 'Workflow',
    metadata: metadata(name, installation),
    spec: { entry: 'experiment', templates },
  }
}

/** The steady state as an object of its own, for experiments that kubectl does. */
export function statusCheckOf({ name }: Experiment, installation: Installation): KubernetesObject {
  const spec = checkSpec('Continuous', installation)
  return { apiVersion, kind: 'StatusCheck', metadata: metadata(name, installation), spec }
}

function metadata(name: string, { namespace }: Installation) {
  return { name: `flowforge-${name}`, namespace, labels: { 'app.kubernetes.io/part-of': 'flowforge' } }
}

function serial(name: string, deadlineMs: number, children: string[]) {
  return { name, templateType: 'Serial', deadline: seconds(deadlineMs), children }
}

type Mode = 'Synchronous' | 'Continuous'

function statusCheck(name: string, mode: Mode, deadlineMs: number, installation: Installation) {
  const check = {
    deadline: seconds(deadlineMs),
    abortWithStatusCheck: true,
    statusCheck: checkSpec(mode, installation),
  }
  return { name, templateType: 'StatusCheck', ...check }
}

function checkSpec(mode: Mode, installation: Installation) {
  const url = `http://${nameOf('gateway', installation)}.${installation.namespace}:8080/readyz`
  return {
    mode,
    type: 'HTTP',
    intervalSeconds: 2,
    timeoutSeconds: 1,
    failureThreshold: mode === 'Continuous' ? failuresMax : 3,
    successThreshold: 1,
    http: { url, method: 'GET', criteria: { statusCode: '200' } },
  }
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)}s`
}
