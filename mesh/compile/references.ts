/** How compiled objects are named and how they name each other. */
import type { Component } from '../policy/policy.ts'
import type { Installation } from './installation.ts'
import { shortened } from './names.ts'
import { apis, groupOf, type Resource, type Text, type Value } from './resource.ts'

export function objectName(component: Component, suffix: string, installation: Installation): Text {
  return installation.objectName(component, shortened(suffix))
}

export function metadata(component: Component, suffix: string, installation: Installation): Resource['metadata'] {
  return {
    name: objectName(component, suffix, installation),
    namespace: installation.namespace,
    labels: installation.labels(component),
  }
}

/** The Server of a component's gRPC port, as parent or target. */
export function serverRef(component: Component, installation: Installation): { [key: string]: Value } {
  return { group: groupOf(apis.linkerdServer), kind: 'Server', name: objectName(component, 'grpc', installation) }
}
