/** An experiment for a cluster: what to apply, and what to type where there is nothing to apply. */
import { stringify } from 'yaml'
import type { Experiment } from '../experiment.ts'
import { chaosOf } from './chaos-mesh.ts'
import { commandsOf, type Commands } from './commands.ts'
import { faultRouteOf } from './fault-route.ts'
import type { Installation, KubernetesObject } from './installation.ts'
import { statusCheckOf, workflowOf } from './workflow.ts'

export interface Rendered {
  objects: KubernetesObject[]
  commands: Commands | undefined
}

/** Both may be empty: some faults are those of callers, and the same on every system. */
export function render(experiment: Experiment, installation: Installation): Rendered {
  const { fault } = experiment
  const commands = commandsOf(fault, installation)
  const chaos = chaosOf(fault, installation)
  if (chaos) return { objects: [workflowOf(experiment, chaos, installation)], commands }
  if (fault.kind === 'upstreamAnswers') return { objects: faultRouteOf(fault, installation), commands }
  return { objects: commands ? [statusCheckOf(experiment, installation)] : [], commands }
}

/** The same as YAML, the commands as comments, to be kept or piped to kubectl. */
export function renderText(experiment: Experiment, installation: Installation): string {
  const { objects, commands } = render(experiment, installation)
  const comment = (title: string, lines: string[] = []) =>
    lines.length > 0 ? `# ${title}\n${lines.map((line) => `#   ${line}\n`).join('')}` : ''
  return [
    `# ${experiment.title}\n# ${experiment.hypothesis}\n`,
    comment('With kubectl alone:', commands?.inject),
    comment('To end it:', commands?.heal),
    objects.length === 0 && !commands ? '# Nothing is done to the cluster: callers bring it about.\n' : '',
    ...objects.map((object) => `---\n${stringify(object, { aliasDuplicateObjects: false })}`),
  ].join('')
}
