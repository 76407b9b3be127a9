/** What differs between installations. The compiler asks it for every name and never writes one itself. */
import type { Component } from '../policy/policy.ts'
import { When, type Text, type Value } from './resource.ts'

/** Where the compiled objects are going to live. */
export interface Installation {
  namespace: Text
  /** The Kubernetes Service (and Deployment) of a component. */
  serviceName(component: Component): Text
  /** An object of ours that belongs to a component: at most 63 characters, the same for every compilation. */
  objectName(component: Component, suffix: string): Text
  /** The mesh identity of a component: `account.namespace.serviceaccount.identity.linkerd.domain`. */
  identity(component: Component): Text
  labels(component: Component): Value
  /** The labels by which a component's pods are selected. */
  selectorLabels(component: Component): Value
  /** What a Server does with what no AuthorizationPolicy allows: `deny`, or `audit`, which lets it pass and logs it. */
  accessPolicy: Text
  /** Something that is there only when a mesh runs, or only when none does. */
  whenMeshed(value: Value): Value[]
  whenPlain(value: Value): Value[]
  /** A field that is there only where the mesh owns retries. */
  whenMeshRetries(value: string): Value | undefined
}

/** One installation whose every answer is known, for tests, the model and applying without Helm. */
export interface ConcreteSettings {
  release: string
  namespace: string
  trustDomain: string
  mesh: boolean
  retries: boolean
  audit: boolean
}

export const exampleSettings: ConcreteSettings = {
  release: 'flowforge',
  namespace: 'flowforge',
  trustDomain: 'cluster.local',
  mesh: true,
  retries: true,
  audit: false,
}

/** An installation without Helm, with the names that the chart would give. */
export function concreteInstallation(settings: ConcreteSettings): Installation {
  const { release, namespace, trustDomain, mesh, retries, audit } = settings
  const name = (component: Component) => `${release}-${component}`
  const selector = (component: Component) => ({
    'app.kubernetes.io/name': 'flowforge',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': component,
  })
  return {
    namespace,
    serviceName: name,
    objectName: (component, suffix) => `${name(component)}-${suffix}`,
    identity: (component) => `${name(component)}.${namespace}.serviceaccount.identity.linkerd.${trustDomain}`,
    labels: selector,
    selectorLabels: selector,
    accessPolicy: audit ? 'audit' : 'deny',
    whenMeshed: (value) => (mesh ? [value] : []),
    whenPlain: (value) => (mesh ? [] : [value]),
    whenMeshRetries: (value) => (retries ? value : undefined),
  }
}

const helm = (condition: string) => (value: Value) => [new When(condition, value)]

/** The conditions of the chart's values. */
export const helmConditions = {
  whenMeshed: helm('.Values.mesh.enabled'),
  whenPlain: helm('not .Values.mesh.enabled'),
  whenMeshRetries: (value: string) => new When('.Values.mesh.retries', value),
}
