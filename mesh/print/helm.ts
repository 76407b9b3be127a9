/** The compiled objects as templates of the chart: the same trees, with the chart's helpers where names stand. */
import { compile } from '../compile/compile.ts'
import { served } from '../compile/component.ts'
import { helmConditions, type Installation } from '../compile/installation.ts'
import { suffixLengthMax } from '../compile/names.ts'
import { Expression, MapExpression } from '../compile/resource.ts'
import { serviceAnnotations } from '../compile/service.ts'
import type { Component, Policies } from '../policy/policy.ts'
import { printYaml } from './yaml.ts'

const notice = '# Compiled from the policy options of the contracts by `npm run generate`. Do not edit.\n'

const of = (component: Component) => `(dict "root" . "component" "${component}")`
const objectName = 'flowforge.mesh.objectName'

/** The installation that the chart's values describe. */
const helmInstallation: Installation = {
  namespace: new Expression('.Release.Namespace | quote'),
  serviceName: (component) => new Expression(`include "flowforge.componentName" ${of(component)}`),
  objectName: (component, suffix) =>
    new Expression(`include "${objectName}" (dict "root" . "component" "${component}" "suffix" "${suffix}")`),
  identity: (component) => new Expression(`include "flowforge.identity" ${of(component)}`),
  labels: (component) => new MapExpression(`include "flowforge.labels" ${of(component)}`),
  selectorLabels: (component) => new MapExpression(`include "flowforge.selectorLabels" ${of(component)}`),
  accessPolicy: new Expression('ternary "audit" "deny" (eq .Values.mesh.policyMode "audit")'),
  ...helmConditions,
}

const conditions = {
  meshed: '.Values.mesh.enabled',
  enforced: 'and .Values.mesh.enabled (ne .Values.mesh.policyMode "audit")',
  // What is not about the mesh are NetworkPolicies.
  always: '.Values.networkPolicy.enabled',
}

/** Files by their path below `templates/mesh`. */
export function helmTemplates(policies: Policies): Map<string, string> {
  const files = new Map<string, string>([['_compiled.tpl', namedTemplates(policies)]])
  for (const { component, concern, when, resources } of compile(policies, helmInstallation)) {
    const documents = resources.map((resource) => `---\n${printYaml(resource)}`).join('')
    files.set(`${component}/${concern}.yaml`, `${notice}{{- if ${conditions[when]} }}\n${documents}{{- end }}\n`)
  }
  return files
}

/** Templates for the rest of the chart, and the one that names objects. */
function namedTemplates(policies: Policies): string {
  const cases = served(policies).map(({ component, port }, index) => {
    const annotations = printYaml(serviceAnnotations(port))
    return `{{- ${index === 0 ? 'if' : 'else if'} eq .component "${component}" }}\n${annotations}`
  })
  return `{{- /* Compiled from the policy options of the contracts by \`npm run generate\`. Do not edit. */ -}}

{{- /* An object of a component, at most 63 characters: a long name of the component is cut and told apart by a hash. */ -}}
{{- define "${objectName}" -}}
{{- $name := include "flowforge.componentName" (dict "root" .root "component" .component) -}}
{{- $room := int (sub 62 (len .suffix)) -}}
{{- if gt (len $name) $room -}}
{{- $name = printf "%s-%s" ($name | trunc (int (sub $room 7)) | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- printf "%s-%s" $name .suffix -}}
{{- end }}

{{- /* Annotations of a component's Service in a mesh: its callers' circuit breakers. Suffixes take ${suffixLengthMax} characters at most. */ -}}
{{- define "flowforge.mesh.serviceAnnotations" -}}
${cases.join('')}{{- end }}
{{- end }}
`
}
