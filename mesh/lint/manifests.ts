/** Rendered manifests as the rules see them: objects with the place where each is written, and the pods they make. */
import { LineCounter, parseAllDocuments } from 'yaml'
import type { KubernetesObject } from '../kubernetes.ts'
import { ofKind, type Of } from '../model/objects.ts'
import type { SourceLine } from '../policy/policy.ts'

export interface Manifest extends KubernetesObject {
  source: SourceLine
}

/** Pods of one workload. */
export interface Pods {
  /** The Deployment, StatefulSet, Job … or the Pod itself. */
  owner: Manifest
  namespace: string | undefined
  labels: Record<string, string>
  annotations: Record<string, string>
  containers: Container[]
}

export interface Container {
  name: string
  ports?: { name?: string; containerPort: number }[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
}

export interface Probe {
  grpc?: { port: number }
  httpGet?: { path?: string; port: number | string }
}

/** All objects of one installation. */
export class Manifests {
  readonly all: readonly Manifest[]
  readonly #ofKind = new Map<string, Manifest[]>()
  #pods: Pods[] | undefined

  constructor(all: readonly Manifest[]) {
    this.all = all
  }

  of<S>(kind: string, group: string): (Of<S> & Manifest)[] {
    const key = `${group}/${kind}`
    let found = this.#ofKind.get(key)
    if (!found) this.#ofKind.set(key, (found = ofKind<S>([...this.all], kind, group) as (Of<S> & Manifest)[]))
    return found as (Of<S> & Manifest)[]
  }

  pods(): readonly Pods[] {
    return (this.#pods ??= this.all.flatMap(podsOf))
  }
}

function podsOf(owner: Manifest): Pods[] {
  const template = templateOf(owner)
  if (!template) return []
  const { metadata = {}, spec = {} } = template
  return [
    {
      owner,
      namespace: owner.metadata.namespace,
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
      containers: spec.containers ?? [],
    },
  ]
}

interface Template {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: { containers?: Container[] }
}

function templateOf(owner: KubernetesObject): Template | undefined {
  const spec = owner.spec as { template?: Template; jobTemplate?: { spec?: { template?: Template } } } | undefined
  switch (owner.kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'ReplicaSet':
    case 'Job':
      return spec?.template
    case 'CronJob':
      return spec?.jobTemplate?.spec?.template
    case 'Pod':
      return { metadata: owner.metadata, spec: owner.spec as NonNullable<Template['spec']> }
    default:
      return undefined
  }
}

/** Reads YAML or JSON, several documents and lists included. Throws an Error that says where the text is no YAML. */
export function readManifests(text: string, file: string): Manifest[] {
  const lines = new LineCounter()
  return parseAllDocuments(text, { lineCounter: lines }).flatMap((document) => {
    const [error] = document.errors
    if (error) throw new Error(`${file}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]!}`)
    const line = lines.linePos(document.contents?.range?.[0] ?? 0).line
    return flatten(document.toJS()).map((object) => ({ ...object, source: { file, line } }))
  })
}

function flatten(value: unknown): KubernetesObject[] {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return []
  if ('items' in value && Array.isArray(value.items)) return value.items.flatMap(flatten)
  return 'metadata' in value ? [withoutNulls(value) as KubernetesObject] : []
}

/** To Kubernetes a field without a value is not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]))
}
