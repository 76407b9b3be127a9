import type { Part } from '../fault.ts'

/** Where an experiment strikes: one release of the chart. */
export interface Installation {
  namespace: string
  /** The name that the release was installed under. */
  release: string
  /** The image that holds the fault backend. */
  faultBackendImage: string
}

/** A Kubernetes object; the rest is JSON of its kind. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels?: Record<string, string> }
  spec?: unknown
}

/** What every pod of a part carries. */
export function labelsOf(part: Part, { release }: Installation): Record<string, string> {
  return { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': part }
}

/** Chaos Mesh's words for the pods of a part. */
export function selectorOf(part: Part, installation: Installation) {
  return { namespaces: [installation.namespace], labelSelectors: labelsOf(part, installation) }
}

/** The name that the chart gives a component's Deployment and Service. */
export function nameOf(part: Part, { release }: Installation): string {
  const full = release.includes('flowforge') ? release : `${release}-flowforge`
  return `${full}-${part}`
}

/** kubectl's flags for the pods of a part. */
export function flagsOf(part: Part, installation: Installation): string {
  const labels = Object.entries(labelsOf(part, installation)).map(([key, value]) => `${key}=${value}`)
  return `--namespace ${installation.namespace} --selector ${labels.join(',')}`
}
