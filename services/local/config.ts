/** What the launcher takes from the environment; the only file here that reads it. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { postgresUrl, readConfig, text } from '@flowforge/runtime/config'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

const { databaseUrl, callerDirectory, namespace, trustDomain } = readOrExit()
export { callerDirectory, databaseUrl, namespace, trustDomain }

/** Makes a path that a user typed absolute: it is relative to where the command was given, not to the repository. */
export function fromCaller(path: string): string {
  return resolve(callerDirectory, path)
}

const notForServices = ['FLOWFORGE_DATABASE_URL', 'FLOWFORGE_CALLER_DIRECTORY', 'FLOWFORGE_TEST_DATABASE_URL']
const passedOn = /^(PATH|HOME|TZ|LANG|TMPDIR|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|NODE_COMPILE_CACHE|OTEL_.*|FLOWFORGE_.*)$/

/** The part of this process's environment that services inherit: never a URL that opens the whole database. */
export function inheritedEnvironment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => passedOn.test(name) && !notForServices.includes(name),
  )
  return Object.fromEntries(inherited) as Record<string, string>
}

function readOrExit() {
  try {
    return readConfig({
      databaseUrl: postgresUrl('FLOWFORGE_DATABASE_URL', { optional: true }),
      callerDirectory: text('FLOWFORGE_CALLER_DIRECTORY', { default: process.cwd() }),
      namespace: text('FLOWFORGE_NAMESPACE', { default: 'flowforge' }),
      trustDomain: text('FLOWFORGE_TRUST_DOMAIN', { default: 'cluster.local' }),
    })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}
