/** Kubernetes objects as plain trees, some of whose leaves are only known when the chart is installed. */

/** A text that Helm fills in: `include "flowforge.identity" …`, without the braces. */
export class Expression {
  readonly template: string

  constructor(template: string) {
    this.template = template
  }
}

/** A map that Helm fills in, such as labels. */
export class MapExpression extends Expression {}

/** An item of a list, or a field, that is there only under a condition known when the chart is installed. */
export class When {
  readonly condition: string
  readonly value: Value

  constructor(condition: string, value: Value) {
    this.condition = condition
    this.value = value
  }
}

export type Value = string | number | boolean | Expression | When | Value[] | { [key: string]: Value }
export type Text = string | Expression

/** One Kubernetes object. */
export interface Resource {
  [key: string]: Value
  apiVersion: string
  kind: string
  metadata: { [key: string]: Value; name: Text }
}

/** The API groups in the versions that are written. */
export const apis = {
  linkerdServer: 'policy.linkerd.io/v1beta3',
  linkerd: 'policy.linkerd.io/v1alpha1',
  gateway: 'gateway.networking.k8s.io/v1',
  network: 'networking.k8s.io/v1',
} as const

/** The group of an `apiVersion`, as references name it. */
export function groupOf(apiVersion: string): string {
  return apiVersion.split('/')[0]!
}
