import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { lint, rules } from '../lint/lint.ts'
import { readManifests } from '../lint/manifests.ts'
import { readDescriptors } from './read-snapshot.ts'
import { found, say } from './say.ts'

interface LintOptions {
  contracts?: string
  cni?: true
  namespace: string
  json?: true
}

export function addLint(program: Command): void {
  program
    .command('lint')
    .description('find what a mesh would not do although the manifests say so')
    .argument('<files...>', 'rendered manifests, YAML or JSON; - for standard input')
    .option('--contracts <file>', 'a descriptor set, from which it is known which RPCs are streams')
    .option('--cni', 'linkerd-cni is installed: pods need no privileged init container')
    .option('--namespace <name>', 'of objects that name none, as `helm template` leaves them', 'default')
    .option('--json', 'write one JSON object for each finding')
    .addHelpText('after', '\nExample:\n  $ helm template my-release my-chart | npx flowforge-mesh lint -')
    .addHelpText('after', () => `\nRules:\n${rules.map(({ id, title }) => `  ${id.padEnd(34)} ${title}`).join('\n')}`)
    .action((files: string[], options: LintOptions) => {
      const manifests = files.flatMap((file) => readManifests(readFileSync(file === '-' ? 0 : file, 'utf8'), file))
      for (const { metadata } of manifests) metadata.namespace ??= options.namespace
      const findings = lint(manifests, { streams: streamsOf(options.contracts), hasCni: options.cni ?? false })
      const lines = findings.map(({ rule, object, message }) => {
        const { source, kind, metadata } = object
        if (options.json) return JSON.stringify({ rule, ...source, kind, name: metadata.name, message })
        return `${source.file}:${source.line}: ${kind} ${metadata.name} ${message} (${rule})`
      })
      if (lines.length > 0) found(...lines)
      else if (!options.json) say(`${manifests.length} objects, nothing found`)
    })
}

function streamsOf(contracts: string | undefined): ReadonlySet<string> | undefined {
  if (contracts === undefined) return undefined
  const methods = [...readDescriptors(contracts).files].flatMap(({ services }) =>
    services.flatMap((one) => one.methods),
  )
  const streams = methods.filter(({ methodKind }) => methodKind !== 'unary')
  return new Set(streams.map(({ parent, name }) => `/${parent.typeName}/${name}`))
}
