/** The tree is the architecture diagram: whoever knows one row of it finds the others by the same word. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { descriptorRegistry } from '@flowforge/proto/descriptors'
import { databaseComponents } from '@flowforge/local/provision'
import { components as identities } from '@flowforge/runtime/policy'

const root = fileURLToPath(new URL('../..', import.meta.url))
const services = readdirSync(join(root, 'services'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(root, 'services', entry.name, 'main.ts')))
  .map(({ name }) => name)
// A folder of services/ with a main.ts is deployed; the worker is a client and serves nothing.
const components = services.filter((name) => name !== 'worker')

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
const files = listed.split('\n').filter((file) => file !== '' && existsSync(join(root, file)))
const code = files.filter((file) => /\.(ts|mjs|proto|sql)$/.test(file) && !file.startsWith('proto/googleapis/'))

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

test('a component is a proto package, a folder, an identity, a schema and a role of the same name', () => {
  deepEqual(components, ['accounts', 'notifications', 'tasks'])
  const packages = [...descriptorRegistry().files].map((file) => file.proto.package)
  for (const name of components) {
    ok(packages.includes(`flowforge.${name}.v1`), `proto package flowforge.${name}.v1`)
    for (const file of ['main.ts', 'config.ts', 'service.ts', 'tables.ts', 'rpc', 'engine', 'schema']) {
      ok(existsSync(join(root, 'services', name, file)), `services/${name}/${file}`)
    }
    const tables = readdirSync(join(root, 'services', name, 'schema')).filter((file) => file.endsWith('.sql'))
    ok(
      tables.some((file) => read(`services/${name}/schema/${file}`).includes(`create table ${name}.`)),
      `schema ${name}`,
    )
  }
  deepEqual([...databaseComponents].sort(), components)
  const served = packages.filter((name) => /^flowforge\.(?!mesh)/.test(name)).map((name) => name.split('.')[1])
  deepEqual(new Set(served), new Set(components), 'every proto package has its service')
})

test('every deployed component has an identity, and every identity belongs to somebody', () => {
  const declared = descriptorRegistry().getEnum('flowforge.mesh.v1.Component')!
  const words = declared.values.filter(({ number }) => number > 0).map(({ localName }) => localName.toLowerCase())
  deepEqual([...identities], words)
  // The gateway is a folder at the top; an operator is a person.
  deepEqual([...services, 'gateway', 'operator'].sort(), [...words].sort())
})

test('every RPC of a service has a line in its table of contents', () => {
  const missing: string[] = []
  for (const { proto, services: declared } of descriptorRegistry().files) {
    const component = /^flowforge\.(\w+)\.v1$/.exec(proto.package)?.[1]
    if (!component || !components.includes(component)) continue
    const contents = read(`services/${component}/service.ts`)
    for (const method of declared.flatMap((service) => service.methods)) {
      if (!new RegExp(`\\b${method.localName}\\b`).test(contents)) missing.push(`${component}: ${method.localName}`)
    }
  }
  deepEqual(missing, [])
})

test('no file is too long to be read', () => {
  // A contract is one file for each service, comments and all.
  const own = code.filter((file) => !file.endsWith('.proto'))
  deepEqual(
    own.filter((file) => read(file).split('\n').length > 400),
    [],
  )
})

test('files are named in kebab-case for what they hold, not for a habit', () => {
  const habits = /^(utils?|helpers?|common|misc|manager|types|index|constants)\b|-(utils?|helpers?|manager)\b/
  // .proto and .sql have rules of their own.
  // What users install has one entry, which is its list of contents.
  const own = code.filter((file) => /\.(ts|mjs)$/.test(file) && file !== 'sdk/typescript/index.ts')
  const named = own.map((file) => basename(file))
  deepEqual(
    named.filter((name) => habits.test(name) || !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)),
    [],
  )
})

test('the environment is read in configuration files and nowhere else', () => {
  // Starting processes hands it on, which is not reading; the launcher and the tests do that.
  const mayRead =
    /(^|\/)config\.ts$|\.test\.ts$|\/testing\/|^services\/(local|system)\/|^proto\/buf\.ts$|^sdk\/cli\/|\/examples\//
  const readers = code.filter((file) => /\.(ts|mjs)$/.test(file) && /process\.env\b/.test(read(file)))
  deepEqual(
    readers.filter((file) => !mayRead.test(file)),
    [],
  )
})

test('imports point down only', () => {
  const forbidden: [from: RegExp, to: RegExp][] = [
    [/^sdk\/grpc\//, /@flowforge\//],
    [/^sdk\//, /@flowforge\/(?!proto|grpc|sdk)/],
    [/^mesh\//, /@flowforge\/(?!proto|mesh)/],
    [
      /^services\/(tasks|accounts|notifications|worker)\//,
      /@flowforge\/(tasks|accounts|notifications|worker|gateway)\b/,
    ],
    [/^gateway\//, /@flowforge\/(tasks|accounts|notifications|worker|sdk)\b/],
    [/^services\/runtime\//, /@flowforge\/(tasks|accounts|notifications|worker|gateway|sdk)\b/],
    [/^services\/\w+\/engine\//, /@grpc\/grpc-js/],
    [/^services\/\w+\/rpc\//, /from '(kysely|pg)'/],
  ]
  const broken: string[] = []
  for (const file of code.filter((one) => one.endsWith('.ts') && !/\.test\.ts$|\/testing\//.test(one))) {
    const imports = [...read(file).matchAll(/^(?:import|export) (?!type\b).*?from '([^']+)'/gm)].map(([line]) => line)
    for (const [from, to] of forbidden) {
      if (from.test(file)) broken.push(...imports.filter((line) => to.test(line)).map((line) => `${file}: ${line}`))
    }
  }
  deepEqual(broken, [])
})

test('no committed file knows the machine that it was written on', () => {
  const traces = new RegExp(['/wo' + 'rk/', '/ro' + 'ot/'].join('|'))
  equal(
    files
      .filter((file) => /\.(ts|mjs|json|md|sql|proto|yaml|yml|html|css)$/.test(file) && traces.test(read(file)))
      .join(),
    '',
  )
})
