/** Pods that visit an installation: our image's Node.js, a script of the folder `pod/`, and the labels of whom they play. */
import { readFileSync } from 'node:fs'
import type { Installation } from './installation.ts'
import { until } from './until.ts'

interface Visitor {
  name: string
  /** A file of `pod/`. */
  script: string
  args: string[]
  image: string
  labels?: Record<string, string>
}

/** Makes the pod and waits until it runs, or has run. */
export async function sendVisitor(installation: Installation, visitor: Visitor): Promise<void> {
  const { name, script, args, image, labels = {} } = visitor
  const source = readFileSync(new URL(`pod/${script}`, import.meta.url), 'utf8')
  const meta = { name, labels: { 'flowforge.dev/visitor': 'true', ...labels } }
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta, data: { [script]: source } },
    { apiVersion: 'v1', kind: 'Pod', metadata: meta, spec: podSpec(name, script, args, image) },
  ]
  await dismissVisitor(installation, name)
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await installation.kubectl(['create', '--filename', '-'], { input })
  const phase = () => installation.kubectl(['get', 'pod', name, '--output', 'jsonpath={.status.phase}'])
  await until(async () => ['Running', 'Succeeded'].includes(await phase()), `pod ${name} runs`, 60_000)
}

/** Waits for a visitor that ends by itself, and gives what it printed. */
export async function visitorOutput(installation: Installation, name: string): Promise<string> {
  const phase = () => installation.kubectl(['get', 'pod', name, '--output', 'jsonpath={.status.phase}'])
  await until(async () => (await phase()) === 'Succeeded', `pod ${name} ends`, 60_000)
  return await installation.kubectl(['logs', name])
}

export async function dismissVisitor(installation: Installation, name: string): Promise<void> {
  await installation.kubectl(['delete', 'pod,configmap', name, '--ignore-not-found', '--grace-period', '1'])
}

function podSpec(name: string, script: string, args: string[], image: string): object {
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'visitor',
        image,
        args: [`/visitor/${script}`, ...args],
        resources: { requests: { cpu: '20m', memory: '64Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'script', mountPath: '/visitor', readOnly: true }],
      },
    ],
    volumes: [{ name: 'script', configMap: { name } }],
    terminationGracePeriodSeconds: 1,
  }
}
