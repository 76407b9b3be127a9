/** Every file that is compiled from the contracts and committed. The table of contents of the compiler's back end. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { accessMatrix } from './outputs/access-matrix.ts'
import { ruleGroups } from './outputs/alerts.ts'
import { callGraphSvg } from './outputs/call-graph.ts'
import { ghzConfigs } from './outputs/ghz.ts'
import { promises, work } from './outputs/grafana/dashboards.ts'
import { grafana } from './outputs/grafana/panel.ts'
import { objectives } from './outputs/objectives.ts'
import { serviceConfigs } from './outputs/service-config.ts'
import type { Policies } from './policy/policy.ts'
import { helmTemplates } from './print/helm.ts'

/** The repository's root. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Folders that hold compiled files and nothing else: what is no longer compiled is removed from them. */
const ownFolders = ['helm/flowforge/templates/mesh', 'helm/flowforge/monitoring', 'mesh/compiled', 'load/ghz']

/** Texts by path from the repository's root. */
export function compiledFiles(policies: Policies): Map<string, string> {
  const files = new Map<string, string>()
  for (const [name, text] of helmTemplates(policies)) files.set(`helm/flowforge/templates/mesh/${name}`, text)
  for (const [name, config] of ghzConfigs(policies)) files.set(`load/ghz/${name}`, json(config))
  for (const [component, config] of Object.entries(serviceConfigs(policies))) {
    files.set(`mesh/compiled/service-config/${component}.json`, json(config))
  }
  files.set('mesh/compiled/objectives.json', json(objectives(policies)))
  files.set('helm/flowforge/monitoring/rules.yaml', stringify(ruleGroups(policies), { lineWidth: 0 }))
  for (const [name, dashboard] of Object.entries({ promises, work })) {
    files.set(`helm/flowforge/monitoring/${name}.json`, json(grafana(dashboard)))
  }
  files.set('docs/access-matrix.md', accessMatrix(policies))
  files.set('docs/call-graph.svg', callGraphSvg(policies))
  return files
}

/** Writes what has changed and removes what is gone; answers the paths touched. */
export function writeCompiledFiles(policies: Policies, folder: string = root): string[] {
  const files = compiledFiles(policies)
  const touched = staleFiles(policies, folder)
  for (const path of touched) {
    const text = files.get(path)
    if (text === undefined) {
      rmSync(join(folder, path))
      continue
    }
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return touched
}

/** Paths whose committed file is not what the contracts compile to now. */
export function staleFiles(policies: Policies, folder: string = root): string[] {
  const files = compiledFiles(policies)
  const changed = [...files].filter(([path, text]) => read(join(folder, path)) !== text).map(([path]) => path)
  const gone = ownFolders.flatMap((own) => filesBelow(folder, own)).filter((path) => !files.has(path))
  return [...changed, ...gone]
}

function filesBelow(folder: string, own: string): string[] {
  if (!existsSync(join(folder, own))) return []
  const entries = readdirSync(join(folder, own), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length).replace(/^\//, ''))
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
