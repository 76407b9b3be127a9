import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parse } from 'yaml'
import { Expression, MapExpression, When, type Value } from '../compile/resource.ts'
import { printYaml } from './yaml.ts'

const keys = fc
  .stringMatching(/^[a-z][a-zA-Z0-9./-]{0,20}$/)
  .filter((key) => !/^(y|n|yes|no|on|off|true|false|null)$/.test(key))
const leaves = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom('1s', '0x1', '1e3', 'yes', '', '- a', '{{ }}', '~', ': ', '#'),
)

const { tree } = fc.letrec<{ tree: Value }>((tie) => ({
  tree: fc.oneof({ maxDepth: 3 }, leaves, fc.dictionary(keys, tie('tree'), { maxKeys: 4 }), lists(tie('tree'))),
}))

/** A list in a list is nothing that Kubernetes has. */
function lists(items: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.array(
    items.filter((item) => !Array.isArray(item)),
    { maxLength: 3 },
  )
}

test('what is printed is read back as it was', () => {
  fc.assert(
    fc.property(fc.dictionary(keys, tree, { minKeys: 1, maxKeys: 4 }), (value) => {
      const plain = JSON.parse(JSON.stringify(value)) as unknown
      deepEqual(parse(printYaml(value)), plain)
    }),
    { numRuns: 500, seed: 1 },
  )
})

test('expressions and conditions become Helm’s', () => {
  const document = {
    name: new Expression('include "n" .'),
    labels: new MapExpression('include "l" .'),
    rules: [new When('.Values.a', { b: [1], c: 'd' })],
    note: new When('.Values.b', '5'),
  }
  equal(
    printYaml(document),
    [
      'name: {{ include "n" . }}',
      'labels:',
      '  {{- include "l" . | nindent 2 }}',
      'rules:',
      '  {{- if .Values.a }}',
      '  - b:',
      '      - 1',
      '    c: d',
      '  {{- end }}',
      '{{- if .Values.b }}',
      'note: "5"',
      '{{- end }}',
      '',
    ].join('\n'),
  )
})
