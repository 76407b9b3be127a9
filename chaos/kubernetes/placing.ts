/** Puts the experiments' own workers and load into an installation, and takes them out again. */
import type { Installation as Release } from '@flowforge/deploy/cluster/installation'
import { until } from '@flowforge/deploy/cluster/until'
import type { Traffic } from '../experiment.ts'
import { nameOf, type Installation } from './installation.ts'
import { packed, unpackAndRun } from './program.ts'

const name = 'flowforge-chaos'
const placed = { name: 'chaos', configMap: { name } }
const mounted = { name: 'chaos', mountPath: '/chaos', readOnly: true }

/** Lets the worker pods run the experiments' worker, whose tasks take as long as their payload says. */
export async function placeWorkers(installation: Installation, release: Release, { capacity }: Traffic): Promise<void> {
  const [worker, load] = await Promise.all([packed('traffic/worker.ts'), packed('kubernetes/pod/load.ts')])
  const binaryData = { worker: worker.toString('base64'), load: load.toString('base64') }
  await removePod(release)
  await apply(release, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, binaryData })
  const deployment = nameOf('worker', installation)
  const container = {
    name: 'worker',
    args: unpackAndRun('/chaos/worker'),
    env: [
      { name: 'FLOWFORGE_CHAOS_HISTORY', value: '/tmp/history' },
      { name: 'FLOWFORGE_WORKER_CONCURRENCY', value: String(capacity) },
    ],
    volumeMounts: [mounted],
  }
  const patch = { spec: { template: { spec: { containers: [container], volumes: [placed] } } } }
  await release.kubectl(['patch', 'deployment', deployment, '--patch', JSON.stringify(patch)])
  await release.kubectl(['rollout', 'status', `deployment/${deployment}`, '--timeout', '120s'])
}

/** Makes the load's pod and waits until it runs; gives its name. */
export async function placeLoad(installation: Installation, release: Release, traffic: Traffic): Promise<string> {
  const template = await release.kubectl([
    'get',
    `deployment/${nameOf('worker', installation)}`,
    '--output',
    'jsonpath={.spec.template.spec.containers[0].image}',
  ])
  const container = {
    name: 'load',
    image: template,
    args: unpackAndRun('/chaos/load'),
    env: [
      { name: 'FLOWFORGE_URL', value: `http://${nameOf('gateway', installation)}.${installation.namespace}` },
      { name: 'FLOWFORGE_API_KEY', value: await release.apiKey() },
      { name: 'FLOWFORGE_CHAOS_TRAFFIC', value: JSON.stringify(traffic) },
    ],
    volumeMounts: [mounted, { name: 'tmp', mountPath: '/tmp' }],
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    resources: { requests: { cpu: '50m', memory: '64Mi' } },
  }
  const spec = {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
    volumes: [placed, { name: 'tmp', emptyDir: {} }],
    terminationGracePeriodSeconds: 1,
  }
  await apply(release, { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
  const phase = () => release.kubectl(['get', 'pod', name, '--output', 'jsonpath={.status.phase}'])
  await until(async () => (await phase()) === 'Running', 'the load’s pod runs', 60_000)
  return name
}

/** Takes the load out and lets the worker pods run what they did before. */
export async function removePlaced(installation: Installation, release: Release): Promise<void> {
  await removePod(release)
  const deployment = `deployment/${nameOf('worker', installation)}`
  const args = await release.kubectl([
    'get',
    deployment,
    '--output',
    'jsonpath={.spec.template.spec.containers[0].args}',
  ])
  if (args.includes('/chaos/worker')) {
    await release.kubectl(['rollout', 'undo', deployment])
    await release.kubectl(['rollout', 'status', deployment, '--timeout', '120s'])
  }
  await release.kubectl(['delete', 'configmap', name, '--ignore-not-found'])
}

async function removePod(release: Release): Promise<void> {
  await release.kubectl(['delete', 'pod', name, '--ignore-not-found', '--grace-period', '1'])
}

async function apply(release: Release, object: object): Promise<void> {
  await release.kubectl(['create', '--filename', '-'], { input: JSON.stringify(object) })
}
